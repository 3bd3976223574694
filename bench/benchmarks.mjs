// What is measured. A benchmark has sides, each run in processes of its own, and rows: the value of the first side, as
// a ratio to that of the second if there is one. Bars: DESIGN section 8.
import { onCluster } from './cluster.mjs';
import { run } from './process.mjs';

const atLeast = (limit) => ({ text: `≥ ${limit}`, holds: (ratio) => ratio >= limit });
const atMost = (limit) => ({ text: `≤ ${limit}`, holds: (ratio) => ratio <= limit });

const ms = (value) => `${value.toFixed(2)} ms`;

const throughput = {
  value: ({ perSecond }) => perSecond,
  show: ({ perSecond, cpuUs }) =>
    `${Math.round(perSecond).toLocaleString('en')}/s${cpuUs ? ` (${cpuUs.toFixed(1)} µs of a CPU each)` : ''}`,
};
const p50 = { value: ({ p50Ms }) => p50Ms, show: ({ p50Ms }) => ms(p50Ms) };
const p99 = { value: ({ p99Ms }) => p99Ms, show: ({ p99Ms }) => ms(p99Ms) };

/** A figure to be known: nobody set a bar. */
const noBar = { text: '', holds: () => true };
const visible = {
  value: ({ visibleMs }) => visibleMs,
  show: ({ visibleMs }) => `readable after ${ms(visibleMs)}`,
};
const answered = {
  value: ({ p50Ms }) => p50Ms,
  show: ({ p50Ms, perSecond }) => `${ms(p50Ms)}, ${Math.round(perSecond).toLocaleString('en')}/s`,
};

export const benchmarks = [
  {
    name: 'send',
    sides: {
      rivulet: ({ send }) => run('send/rivulet.mjs', send),
      raw: ({ send }) => run('send/raw.mjs', send),
      bullmq: ({ bullmqSend }) => run('send/bullmq.mjs', bullmqSend),
    },
    rows: [
      { name: 'send.raw', sides: ['rivulet', 'raw'], ...throughput, bar: atLeast(1.3) },
      { name: 'send.bullmq', sides: ['rivulet', 'bullmq'], ...throughput, bar: atLeast(6) },
    ],
  },
  {
    name: 'cluster',
    sides: {
      cluster: ({ cluster }) =>
        onCluster((connection) => run('send/rivulet.mjs', { ...cluster, connection })),
      one: ({ cluster }) => run('send/rivulet.mjs', cluster),
    },
    // With a core for each node it is more than 1; where all of them share two with the sender, it says what spreading costs.
    rows: [{ name: 'cluster.one', sides: ['cluster', 'one'], ...throughput, bar: atLeast(0.8) }],
  },
  {
    name: 'consume',
    sides: {
      rivulet: ({ consume }) => consumeBacklog('rivulet', consume),
      raw: ({ consume }) => consumeBacklog('raw', consume),
      bullmq: ({ bullmqConsume }) => consumeBacklog('bullmq', bullmqConsume),
    },
    rows: [
      { name: 'consume.raw', sides: ['rivulet', 'raw'], ...throughput, bar: atLeast(0.7) },
      { name: 'consume.bullmq', sides: ['rivulet', 'bullmq'], ...throughput, bar: atLeast(6) },
    ],
  },
  {
    name: 'ordered',
    sides: {
      ordered: ({ ordered }) =>
        consumeBacklog('rivulet', { ...ordered, options: { ordered: true } }),
      unordered: ({ ordered }) => consumeBacklog('rivulet', ordered),
      beside: ({ besideFailing }) => run('ordered/beside-failing.mjs', besideFailing),
    },
    rows: [
      {
        name: 'ordered.unordered',
        sides: ['ordered', 'unordered'],
        ...throughput,
        bar: atLeast(0.5),
      },
      {
        name: 'ordered.beside_failing',
        sides: ['beside'],
        value: ({ ratio }) => ratio,
        show: ({ beside, healthy }) =>
          `${Math.round(beside).toLocaleString('en')}/s of ${Math.round(healthy).toLocaleString('en')}/s`,
        bar: atLeast(0.9),
      },
    ],
  },
  {
    name: 'idempotent',
    sides: {
      idempotent: ({ idempotent }) =>
        consumeBacklog('rivulet', { ...idempotent, options: { idempotent: true } }),
      plain: ({ idempotent }) => consumeBacklog('rivulet', idempotent),
    },
    rows: [
      {
        name: 'idempotent.plain',
        sides: ['idempotent', 'plain'],
        ...throughput,
        bar: atLeast(0.5),
      },
    ],
  },
  {
    name: 'transactional',
    sides: {
      transactional: ({ transactional }) => run('transactional/rivulet.mjs', transactional),
      plain: ({ transactional }) => run('send/rivulet.mjs', transactional),
      raw: ({ transactional }) => run('send/raw.mjs', transactional),
    },
    rows: [
      {
        name: 'transactional.plain',
        sides: ['transactional', 'plain'],
        ...throughput,
        bar: atLeast(0.2),
      },
      {
        name: 'transactional.raw',
        sides: ['transactional', 'raw'],
        ...throughput,
        bar: atLeast(0.4),
      },
    ],
  },
  {
    name: 'request',
    sides: {
      rivulet: ({ request }) => run('request/rivulet.mjs', request),
      nestredis: ({ request }) => run('request/nestredis.mjs', request),
    },
    rows: [
      {
        name: 'request.nestredis',
        sides: ['rivulet', 'nestredis'],
        ...throughput,
        bar: atLeast(1),
      },
    ],
  },
  {
    name: 'handover',
    sides: {
      rivulet: ({ handover }) => run('handover/rivulet.mjs', handover),
      raw: ({ handover }) => run('handover/raw.mjs', handover),
    },
    rows: [
      { name: 'handover.p50', sides: ['rivulet', 'raw'], ...p50, bar: atMost(1.5) },
      { name: 'handover.p99', sides: ['rivulet', 'raw'], ...p99, bar: atMost(3) },
    ],
  },
  {
    name: 'delay',
    sides: {
      due: ({ lateness }) => run('delay/lateness.mjs', lateness),
      idle: ({ idle }) => run('delay/idle.mjs', idle),
    },
    rows: [
      {
        name: 'delay.lateness_p99_ms',
        sides: ['due'],
        value: ({ p99Ms }) => p99Ms,
        show: ({ p50Ms, p99Ms }) => `p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
        bar: atMost(50),
      },
      {
        name: 'delay.idle_cpu',
        sides: ['idle'],
        value: ({ share }) => share,
        show: ({ share }) => `${(share * 100).toFixed(2)} % of a CPU`,
        bar: atMost(0.01),
      },
    ],
  },
  {
    name: 'backlog',
    sides: {
      many: ({ backlog }) => run('backlog/slices.mjs', { ...backlog, waiting: backlog.many }),
      few: ({ backlog }) => run('backlog/slices.mjs', { ...backlog, waiting: backlog.few }),
    },
    rows: [{ name: 'backlog.flatness', sides: ['many', 'few'], ...throughput, bar: atLeast(0.9) }],
  },
  {
    name: 'topics',
    sides: {
      many: ({ topics }) => run('topics/consume.mjs', { ...topics, topics: topics.many }),
      few: ({ topics }) => run('topics/consume.mjs', { ...topics, topics: topics.few }),
    },
    rows: [{ name: 'topics.flatness', sides: ['many', 'few'], ...throughput, bar: atLeast(0.9) }],
  },
  {
    name: 'memory',
    sides: {
      rivulet: ({ memory }, server) => memoryOf('memory/rivulet.mjs', memory, server),
      raw: ({ memory }, server) => memoryOf('memory/raw.mjs', memory, server),
    },
    rows: [
      {
        name: 'memory.per_message',
        sides: ['rivulet', 'raw'],
        value: ({ perMessage }) => perMessage,
        show: ({ perMessage }) => `${perMessage.toFixed(0)} B`,
        bar: atMost(1.25),
      },
    ],
  },
];

/** Transactions on PostgreSQL (`--transactions`): one after the other, and so many at once. */
export const transactionBenchmarks = [
  ...['alone', 'together'].map((name) => ({
    name,
    sides: {
      half: (sizes) =>
        run('transactions/rivulet.mjs', { ...sizes[name], sends: true, store: 'half' }),
      outbox: (sizes) =>
        run('transactions/rivulet.mjs', { ...sizes[name], sends: true, store: 'outbox' }),
      silent: (sizes) => run('transactions/rivulet.mjs', sizes[name]),
      table: (sizes) => run('transactions/outbox-table.mjs', sizes[name]),
    },
    rows: [
      { name: `${name}.p50.silent`, sides: ['half', 'silent'], ...answered, bar: noBar },
      { name: `${name}.p50.table`, sides: ['half', 'table'], ...answered, bar: noBar },
      { name: `${name}.visible.table`, sides: ['half', 'table'], ...visible, bar: noBar },
      { name: `${name}.outbox.p50.table`, sides: ['outbox', 'table'], ...answered, bar: noBar },
      { name: `${name}.outbox.visible.table`, sides: ['outbox', 'table'], ...visible, bar: noBar },
    ],
  })),
  {
    name: 'crash',
    sides: { crash: ({ crash }) => run('transactions/crash.mjs', crash) },
    rows: [
      {
        name: 'crash.delivered_ms',
        sides: ['crash'],
        value: ({ p50Ms }) => p50Ms,
        show: ({ p50Ms, p99Ms }) => `p50 ${ms(p50Ms)}, at most ${ms(p99Ms)}`,
        bar: noBar,
      },
    ],
  },
];

async function consumeBacklog(side, job) {
  await run(`consume/load-${side}.mjs`, job);
  return run(`consume/${side}.mjs`, job);
}

async function memoryOf(file, job, server) {
  const before = await server.usedMemory();
  await run(file, job);
  const after = await server.usedMemory();
  return { perMessage: (after - before) / job.messages };
}
