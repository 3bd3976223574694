// Which folder of lib/ may import which. Imports go down only:
//
//   outside  cli · nest · dashboard         composition roots; only lib/index.ts imports them
//            redis · testing · participants · cron · opentelemetry   implement the ports
//            inspect                        questions and commands for operators
//   ------------------------------------------------------------------------------------------
//   core     files of lib/core itself       wire the folders below
//         3  transaction · idempotency
//         2  producer · consumer
//         1  store (ports) · filter
//         0  message · runtime
//
// Two folders of one level do not import each other.

const level0 = ['core/message', 'core/runtime'];
const level1 = ['core/store', 'core/filter'];
const level2 = ['core/producer', 'core/consumer'];

/** Read: "X may import Y". Every folder may import itself. */
const may = {
  'core/message': [],
  'core/runtime': [],
  'core/store': level0,
  'core/filter': level0,
  'core/producer': [...level0, ...level1],
  'core/consumer': [...level0, ...level1],
  'core/transaction': [...level0, ...level1, ...level2],
  'core/idempotency': [...level0, ...level1, ...level2],
  inspect: ['core'],
  cron: ['core'],
  redis: ['core', 'inspect'],
  testing: ['core', 'inspect', 'cron'],
  participants: ['core'],
  opentelemetry: ['core'],
  nest: ['core', 'redis', 'inspect', 'cron'],
  cli: ['core', 'redis', 'inspect'],
  dashboard: ['core', 'inspect'],
};

const coreItself = '^lib/core/[^/]+$';
const folder = (name) => `^lib/${name}/`;
const folders = (...names) => names.map(folder);
const packages = (...names) => names.map((name) => `node_modules/${name}/`);

const importsGoDown = Object.entries(may).map(([from, allowed]) => ({
  name: `${from} may import ${allowed.join(', ') || 'only itself'}`,
  severity: 'error',
  from: { path: folder(from) },
  to: { path: '^lib/', pathNot: folders(from, ...allowed) },
}));

module.exports = {
  forbidden: [
    ...importsGoDown,
    {
      name: 'every folder has a place in the table',
      severity: 'error',
      from: { path: '^lib/.+/', pathNot: [coreItself, ...folders(...Object.keys(may))] },
      to: {},
    },
    {
      name: 'core itself may import core',
      severity: 'error',
      from: { path: coreItself },
      to: { path: '^lib/', pathNot: folder('core') },
    },
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core is framework-free: no package but Node itself',
      severity: 'error',
      from: { path: folder('core') },
      to: { path: 'node_modules/' },
    },
    {
      name: 'only redis knows ioredis',
      severity: 'error',
      from: { path: '^lib/', pathNot: folder('redis') },
      to: { path: packages('ioredis') },
    },
    {
      name: 'only nest and dashboard know Nest and RxJS',
      severity: 'error',
      from: { path: '^lib/', pathNot: folders('nest', 'dashboard') },
      to: { path: packages('@nestjs/[^/]+', 'rxjs') },
    },
    {
      name: 'only opentelemetry knows OpenTelemetry',
      severity: 'error',
      from: { path: '^lib/', pathNot: folder('opentelemetry') },
      to: { path: packages('@opentelemetry/[^/]+') },
    },
    {
      name: 'every import resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true, // a type import is an import
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
