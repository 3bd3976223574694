// What can go wrong, and the tests that make it go wrong: the rows of `npm run test:faults`.
//   tests    files, and optionally which of their tests, by a part of the full name
//   figures  names under which they tell their figures (test/helpers/figures.ts)
//   long     environment of the long form
const guarantees = (name) => `test/guarantees/${name}.spec.ts`;
const faults = (name) => `test/faults/${name}.spec.ts`;

export const MATRIX = [
  {
    id: 'F1',
    fault: 'kill -9 of Redis, appendfsync always',
    tests: [[guarantees('redis-crash'), 'appendfsync always']],
    figures: ['redis-crash-always'],
    long: { RIVULET_CRASHES: '5' },
  },
  {
    id: 'F2',
    fault: 'kill -9 of Redis, appendfsync everysec',
    tests: [[guarantees('redis-crash'), 'appendfsync everysec']],
    figures: ['redis-crash-everysec'],
  },
  {
    id: 'F3',
    fault: 'kill -9 of Redis while its disk is slow',
    tests: [[faults('disk'), 'slow-disk']],
    figures: ['slow-disk-everysec', 'slow-disk-always'],
    long: { RIVULET_FSYNC_SLOW_MS: '900' },
  },
  {
    id: 'F4',
    fault: 'power cut: what the last fdatasync left',
    tests: [
      [faults('disk'), 'power-cut'],
      [guarantees('redis-crash'), 'power failure'],
    ],
    figures: ['power-cut-everysec', 'power-cut-always', 'redis-forgot'],
  },
  {
    id: 'F5',
    fault: 'acks by disk and by replicas: frozen, cut off, not to be had',
    tests: [['test/redis/acks.spec.ts']],
  },
  {
    id: 'F6',
    fault: 'Redis stands still (1, 5, 20 s)',
    tests: [[faults('frozen-redis')]],
    figures: ['frozen-redis'],
    long: { RIVULET_FROZEN_SECONDS: '1,5,20' },
  },
  {
    id: 'F7',
    fault: 'owners of ordered queues killed, frozen, cut off',
    tests: [[guarantees('order')]],
    figures: ['order'],
    long: { RIVULET_GROUPS: '3000', RIVULET_LAPS: '2' },
  },
  {
    id: 'F8',
    fault: 'a producer stands still between request and reply',
    tests: [[faults('producer-crash'), 'stands still']],
    figures: ['frozen-producer'],
  },
  {
    id: 'F9',
    fault: 'connections cut within requests and replies',
    tests: [[guarantees('cut-connection')], [guarantees('cut-consumer')]],
    figures: ['cut-connection', 'cut-consumer'],
    long: { RIVULET_SENDS: '40000', RIVULET_MESSAGES: '2400' },
  },
  {
    id: 'F10',
    fault: 'network swallows everything',
    tests: [[guarantees('black-hole')]],
    figures: ['black-hole-producer', 'black-hole-consumer', 'black-hole-take-over'],
  },
  {
    id: 'F11',
    fault: 'connections are open in one direction only',
    tests: [[faults('network'), 'one direction']],
    figures: ['one-way-request', 'one-way-reply'],
  },
  {
    id: 'F12',
    fault: 'delays, byte by byte, replies that end in between',
    tests: [[faults('network'), 'byte by byte']],
    figures: ['bad-line'],
    long: { RIVULET_NETWORK_SECONDS: '20' },
  },
  {
    id: 'F13',
    fault: 'connections are refused',
    tests: [[faults('network'), 'are refused']],
    figures: ['refused', 'refused-attempts'],
  },
  {
    id: 'F14',
    fault: 'packets dropped in both directions',
    tests: [[faults('packets')]],
    figures: ['packets'],
    long: { RIVULET_DROP_SECONDS: '60' },
  },
  {
    id: 'F15',
    fault: 'Sentinel: kill -9 of the master',
    tests: [[faults('sentinel'), 'a master that is killed']],
    figures: ['sentinel-killed'],
  },
  {
    id: 'F16',
    fault: 'Sentinel: the master freezes, and wakes as the old one',
    tests: [[faults('sentinel'), 'a master that was frozen']],
    figures: ['sentinel-frozen'],
    long: { RIVULET_FROZEN_MASTER_SECONDS: '7' },
  },
  {
    id: 'F17',
    fault: 'Sentinel: replicas cut off, then kill -9 of the master',
    tests: [[faults('sentinel'), 'cut off']],
    figures: ['sentinel-cut-off'],
  },
  {
    id: 'F18',
    fault: 'Cluster: slots move there and back',
    tests: [[faults('cluster'), 'there and back']],
    figures: ['cluster-moves'],
    long: { RIVULET_MOVES: '10' },
  },
  {
    id: 'F19',
    fault: 'Cluster: a slot stays half moved',
    tests: [[faults('cluster'), 'half moved']],
    figures: ['cluster-half-moved'],
    long: { RIVULET_HALF_SECONDS: '20' },
  },
  {
    id: 'F20',
    fault: 'Cluster: kill -9 of a primary',
    tests: [[faults('cluster'), 'killed']],
    figures: ['cluster-primary-killed'],
  },
  {
    id: 'F21',
    fault: 'producers killed at each step, and sending all again',
    tests: [[faults('producer-crash'), 'is killed']],
    figures: ['producer-crash'],
  },
  {
    id: 'F22',
    fault: 'consumers killed, at each step and at random',
    tests: [
      [faults('consumer-crash')],
      [guarantees('kill-consumer'), 'although consumers are killed'],
      [guarantees('idempotent')],
    ],
    figures: ['consumer-crash-unordered', 'consumer-crash-ordered', 'kill-consumer', 'idempotent'],
    long: { RIVULET_KILLS: '10', RIVULET_LONG: '1' },
  },
  {
    id: 'F23',
    fault: 'transactions: processes, databases, Redis killed',
    tests: [[guarantees('transaction-crash')], [guarantees('transaction-chaos')]],
    figures: ['transaction-chaos-half', 'transaction-chaos-outbox'],
    long: { RIVULET_CHAOS_MS: '60000' },
  },
  {
    id: 'F24',
    fault: 'checkers fail, hang, do not know, come in twos',
    tests: [['test/unit/transaction/back-check-loop.spec.ts'], [guarantees('half-messages')]],
  },
  {
    id: 'F25',
    fault: 'commit and rollback race, each repeated',
    tests: [['test/contract/redis.spec.ts', 'half']],
  },
  {
    id: 'F26',
    fault: 'FLUSHALL, keys deleted or of a wrong type',
    tests: [
      [guarantees('damage'), 'what is destroyed'],
      [guarantees('damage'), 'a key of the wrong type'],
    ],
    figures: ['flushall'],
  },
  {
    id: 'F28',
    fault: 'scripts forgotten, connections closed, clients paused',
    tests: [[faults('scripts-and-clients')]],
    figures: ['scripts-and-clients'],
    long: { RIVULET_UNREST_SECONDS: '30' },
  },
  {
    id: 'F29',
    fault: 'Redis is out of memory',
    tests: [['test/redis/memory-full.spec.ts']],
  },
  {
    id: 'F30',
    fault: 'an eviction policy, at the start and later',
    tests: [
      ['test/redis/health.spec.ts', 'eviction'],
      ['test/redis/connection.spec.ts', 'evicts'],
      ['test/unit/core/health-watch.spec.ts'],
    ],
  },
  {
    id: 'F31',
    fault: 'the disk is full',
    tests: [[faults('disk-full')]],
    figures: ['full-everysec', 'full-always'],
  },
  {
    id: 'F32',
    fault: 'clocks of Redis and of processes jump',
    tests: [[faults('clock')]],
    figures: ['clock-of-redis', 'clock-of-processes'],
  },
  {
    id: 'F33',
    fault: 'a handler blocks the thread for three leases',
    tests: [[faults('event-loop')]],
    figures: ['event-loop-unordered', 'event-loop-ordered'],
  },
  {
    id: 'F34',
    fault: 'poison messages',
    tests: [
      [guarantees('kill-consumer'), 'ends its consumers'],
      ['test/unit/consumer/handlers.spec.ts'],
    ],
    figures: ['poison'],
    long: { RIVULET_LONG: '1' },
  },
  {
    id: 'F36',
    fault: 'large messages',
    tests: [[guarantees('large-messages')]],
    figures: ['large-messages'],
    long: { RIVULET_LARGE: '400' },
  },
  {
    id: 'F37',
    fault: 'entries that nobody can read',
    tests: [[guarantees('damage'), 'entries nobody can read']],
    figures: ['malformed-entries'],
  },
  {
    id: 'F38',
    fault: 'shutdowns under load, with Redis gone or frozen',
    tests: [[guarantees('shutdown')]],
    figures: ['shutdown-idle', 'shutdown-hanging', 'shutdown-busy'],
  },
  {
    id: 'F39',
    fault: 'a long run of mixed load, faults at random',
    tests: [[faults('soak')]],
    figures: ['soak'],
    long: { RIVULET_SOAK_SECONDS: '600' },
  },
  {
    id: 'F40',
    fault: 'everything at once',
    tests: [[guarantees('storm')]],
    figures: ['storm'],
    long: { RIVULET_STORM_SECONDS: '60' },
  },
  {
    id: 'F41',
    fault: 'a Redis user with the least rights',
    tests: [['test/redis/acl.spec.ts']],
  },
  {
    id: 'F42',
    fault: 'requests whose connections are cut on both sides',
    tests: [[faults('request')]],
    figures: ['cut-requests'],
    long: { RIVULET_REQUESTS: '6000' },
  },
];

/** What the matrix of the reference names, and nothing here tries yet: shown, so that the table does not look complete. */
export const UNTRIED = [{ id: 'F35', fault: 'slow consumers beside others' }];
