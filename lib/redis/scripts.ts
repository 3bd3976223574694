import { Script } from './script.js';

/**
 * Every script with the order of its keys and arguments; the header of the file says what they hold. Checked
 * against each other by test/redis/headers.spec.ts. The test time comes last everywhere and is not listed.
 */
const AGENDA = ['agenda', 'versions'] as const;
const TOPIC = ['meta', 'groups'] as const;
const GROUP = ['meta', 'log', 'retry', 'suspects', 'attempts'] as const;
const PROOF = ['owner', 'token', 'version'] as const;
const HALF_APPEND = {
  keys: ['meta', 'log', 'scheduled', 'due', 'half', 'checks', 'parkedHalves', 'done'],
  moreKeys: 'dedup',
  libraries: ['halves'],
} as const;

export const scripts = {
  append: new Script({
    name: 'append',
    keys: ['meta', 'log', 'sessions', 'scheduled', 'due'],
    moreKeys: 'dedup',
    args: ['generation', 'session', 'epoch', 'number', 'dues', 'dedups'],
    moreArgs: 'frames',
  }),
  reopen: new Script({
    name: 'reopen',
    keys: ['meta', 'sessions'],
    args: ['session', 'epoch', 'asked'],
  }),
  makeRoom: new Script({
    name: 'make-room',
    libraries: ['groups'],
    keys: ['meta', 'log', 'only'],
    moreKeys: 'of groups',
    args: ['count', 'drop', 'note'],
    moreArgs: 'groups',
  }),
  trim: new Script({
    name: 'trim',
    libraries: ['groups'],
    keys: ['meta', 'log', 'only'],
    args: ['limit'],
  }),

  acknowledge: new Script({
    name: 'acknowledge',
    keys: ['log', 'attempts'],
    args: ['group', 'consumer', 'offsets'],
  }),
  settle: new Script({
    name: 'settle',
    libraries: ['steady'],
    keys: ['log', 'retry', 'suspects', 'attempts', 'dead'],
    args: ['group', 'consumer'],
    moreArgs: 'deliveries',
  }),
  dueIn: new Script({
    name: 'due-in',
    libraries: ['steady'],
    keys: [],
    moreKeys: 'log, retry, suspects, attempts of each queue',
    args: [],
    moreArgs: 'groups',
  }),
  claimDue: new Script({
    name: 'claim-due',
    libraries: ['steady'],
    keys: ['log', 'retry', 'suspects', 'attempts'],
    args: ['group', 'consumer', 'limit', 'suspect'],
  }),
  renew: new Script({
    name: 'renew',
    libraries: ['steady'],
    keys: ['log', 'retry', 'suspects', 'attempts'],
    args: ['group', 'consumer', 'swallowedAfterMs', 'offsets', 'counts'],
  }),
  reclaim: new Script({
    name: 'reclaim',
    libraries: ['steady'],
    keys: ['log', 'suspects', 'attempts'],
    args: ['group', 'consumer', 'limit'],
  }),
  rewind: new Script({
    name: 'rewind',
    libraries: ['groups'],
    keys: ['meta', 'log', 'retry', 'suspects', 'attempts'],
    args: ['group', 'to'],
  }),
  lag: new Script({
    name: 'lag',
    libraries: ['groups'],
    keys: ['log', 'only', 'dead', 'lease'],
    args: ['group'],
  }),

  acquireLease: new Script({
    name: 'acquire-lease',
    keys: ['meta', 'log', 'lease'],
    args: ['group', 'owner', 'leaseMs', 'floor'],
  }),
  rewindLanes: new Script({
    name: 'rewind-lanes',
    libraries: ['groups', 'lane-records'],
    keys: ['meta', 'log', 'lease', 'lanes', 'hold', 'parked'],
    moreKeys: 'held',
    args: ['group', 'to'],
    moreArgs: 'lanes',
  }),
  drained: new Script({
    name: 'drained',
    libraries: ['groups', 'lane-records'],
    keys: ['meta', 'log', 'scheduled', 'half', 'before', 'lease', 'hold'],
    args: ['group', 'generation'],
  }),
  loadLanes: new Script({
    name: 'load-lanes',
    libraries: ['lane-records'],
    keys: ['log', 'lease', 'lanes', 'hold', 'parked'],
    args: ['group', ...PROOF, 'after', 'count'],
  }),
  readLanes: new Script({
    name: 'read-lanes',
    libraries: ['groups'],
    keys: ['log', 'lease'],
    args: ['group', ...PROOF, 'count'],
  }),
  openDoor: new Script({
    name: 'open-door',
    keys: ['lease', 'door'],
    args: ['group', ...PROOF],
  }),
  step: new Script({
    name: 'step',
    libraries: ['lane-records'],
    keys: ['log', 'lease', 'lanes', 'hold', 'dead'],
    args: ['group', ...PROOF, 'steps', 'count'],
    moreArgs: 'lane of each step, texts',
  }),
  contents: new Script({ name: 'contents', keys: ['log'], args: ['offsets'] }),
  holdLane: new Script({
    name: 'hold-lane',
    libraries: ['lane-records'],
    keys: ['log', 'lease', 'lanes', 'hold', 'parked', 'held'],
    args: ['group', ...PROOF, 'lane', 'offsets', 'where', 'note'],
  }),
  stepHeld: new Script({
    name: 'step-held',
    libraries: ['lane-records'],
    keys: ['lease', 'lanes', 'hold', 'parked', 'held', 'dead'],
    args: [...PROOF, 'lane'],
    moreArgs: 'steps',
  }),
  renewLease: new Script({
    name: 'renew-lease',
    keys: ['log', 'lease'],
    args: ['group', 'owner', 'token', 'leaseMs'],
  }),
  releaseLease: new Script({
    name: 'release-lease',
    libraries: ['lane-records'],
    keys: ['lease', 'lanes'],
    args: ['owner', 'token'],
  }),
  lease: new Script({ name: 'lease', keys: ['lease'], args: [] }),
  resumeLane: new Script({
    name: 'resume-lane',
    libraries: ['lane-records'],
    keys: ['lease', 'hold', 'parked', 'held', 'dead'],
    args: ['lane', 'action', 'note'],
  }),

  releaseDue: new Script({
    name: 'release-due',
    keys: ['log', 'scheduled', 'due'],
    args: ['limit'],
  }),
  cancel: new Script({ name: 'cancel', keys: ['scheduled', 'due'], args: ['id'] }),
  reschedule: new Script({ name: 'reschedule', keys: ['due'], args: ['id', 'when'] }),
  findScheduled: new Script({ name: 'find-scheduled', keys: ['scheduled', 'due'], args: ['id'] }),
  listScheduled: new Script({
    name: 'list-scheduled',
    keys: ['scheduled', 'due'],
    args: ['afterDue', 'afterId', 'count'],
  }),

  prepareHalf: new Script({
    name: 'prepare-half',
    libraries: ['halves', 'steady'],
    keys: ['meta', 'log', 'due', 'half', 'checks', 'done'],
    args: ['generation', 'owner', 'ids', 'halves'],
  }),
  commitHalf: new Script({ name: 'commit-half', ...HALF_APPEND, args: ['ids', 'dedups'] }),
  publishHalf: new Script({
    name: 'publish-half',
    ...HALF_APPEND,
    args: ['generation', 'dedups', 'ids', 'halves'],
  }),
  placeOnce: new Script({
    name: 'place-once',
    keys: ['placed'],
    args: ['id', 'generation', 'queues'],
  }),
  rollbackHalf: new Script({
    name: 'rollback-half',
    libraries: ['halves'],
    keys: ['meta', 'half', 'checks', 'parkedHalves', 'done'],
    args: ['ids'],
  }),
  extendHalf: new Script({
    name: 'extend-half',
    libraries: ['halves', 'steady'],
    keys: ['meta', 'half', 'checks', 'done'],
    args: ['ids', 'times'],
  }),
  claimHalves: new Script({
    name: 'claim-halves',
    libraries: ['steady'],
    keys: ['meta', 'half', 'checks'],
    args: ['limit', 'leaseMs', 'what', 'owner'],
  }),
  parkHalf: new Script({
    name: 'park-half',
    libraries: ['halves'],
    keys: ['half', 'checks', 'parkedHalves', 'done'],
    args: ['ids', 'reasons'],
  }),
  unparkHalf: new Script({
    name: 'unpark-half',
    libraries: ['halves', 'steady'],
    keys: ['meta', 'half', 'checks', 'parkedHalves', 'done'],
    args: ['ids'],
  }),

  redrive: new Script({ name: 'redrive', keys: ['log', 'only', 'dead'], args: ['group', 'id'] }),

  declareTopic: new Script({
    name: 'declare-topic',
    keys: ['meta', 'deleted'],
    args: ['queues', 'retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs', 'born'],
  }),
  alterTopic: new Script({
    name: 'alter-topic',
    keys: ['meta'],
    args: ['retentionMs', 'maxLength', 'whenFull', 'dedupWindowMs', 'queues'],
  }),
  endGrowth: new Script({ name: 'end-growth', keys: ['meta'], args: ['generation'] }),
  beginRemoval: new Script({
    name: 'begin-removal',
    keys: [...TOPIC, 'deleted'],
    args: ['which', 'rememberedMs'],
  }),
  removeLife: new Script({
    name: 'remove-life',
    keys: ['meta'],
    moreKeys: 'what goes with it',
    args: ['born'],
  }),
  openQueue: new Script({
    name: 'open-queue',
    keys: ['meta', 'log', 'scheduled', 'half', 'before'],
    args: [
      'generation',
      'born',
      'version',
      'retentionMs',
      'maxLength',
      'whenFull',
      'dedupWindowMs',
      'parent',
    ],
  }),
  joinGroup: new Script({
    name: 'join-group',
    keys: [...TOPIC, 'seen'],
    args: ['group', 'mode', 'digest', 'strictness', 'order'],
  }),
  openGroup: new Script({
    name: 'open-group',
    keys: [...GROUP, 'lease', 'lanes'],
    args: ['group', 'from', 'known'],
  }),
  noteLost: new Script({
    name: 'note-lost',
    keys: ['meta'],
    args: ['born'],
    moreArgs: 'consumer groups',
  }),
  notePattern: new Script({ name: 'note-pattern', keys: ['patterns'], args: ['group', 'pattern'] }),
  closeGroup: new Script({
    name: 'close-group',
    keys: [...GROUP, 'dead', 'lease', 'lanes', 'hold', 'parked'],
    moreKeys: 'held',
    args: ['group', 'born'],
    moreArgs: 'lanes',
  }),

  dedup: new Script({
    name: 'dedup',
    keys: [],
    moreKeys: 'records',
    args: ['lines', 'fields'],
    moreArgs: 'results',
  }),

  advanceRecurring: new Script({
    name: 'advance-recurring',
    keys: ['recurring'],
    args: ['name', 'from', 'to'],
  }),
  noteWork: new Script({ name: 'note-work', keys: [...AGENDA, 'counter'], args: ['work', 'at'] }),
  takeWork: new Script({ name: 'take-work', keys: AGENDA, args: ['limit', 'leaseMs'] }),
  finishWork: new Script({
    name: 'finish-work',
    keys: AGENDA,
    args: ['work', 'version', 'nextAt'],
  }),
  takeTokens: new Script({
    name: 'take-tokens',
    keys: ['rate'],
    args: ['want', 'max', 'perMs'],
  }),
  takePermits: new Script({
    name: 'take-permits',
    keys: [],
    moreKeys: 'permits',
    args: ['member', 'max', 'leaseMs', 'patienceMs', 'asks'],
  }),
  notePresence: new Script({
    name: 'note-presence',
    keys: ['groups', 'seen'],
    args: [],
    moreArgs: 'consumer groups that have members',
  }),
  beat: new Script({ name: 'beat', keys: ['members'], args: ['member'] }),
  renewInbox: new Script({
    name: 'renew-inbox',
    keys: ['inbox', 'room'],
    args: ['read', 'ttlMs', 'most', 'readLarge'],
  }),
  reviveInbox: new Script({
    name: 'revive-inbox',
    keys: ['inbox', 'room'],
    args: ['ttlMs', 'most'],
  }),
  postReply: new Script({
    name: 'post-reply',
    keys: ['inbox', 'room'],
    args: ['packets'],
    // Small packets follow large ones by a plain XADD.
    sentWhole: true,
  }),
  touch: new Script({ name: 'touch', keys: ['probe'], args: ['ttlMs'] }),
  checkRights: new Script({ name: 'check-rights', keys: ['any'], args: [], moreArgs: 'commands' }),
};
