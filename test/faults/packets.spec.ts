import { setTimeout as pass } from 'node:timers/promises';
import { decodeMessage } from '../../lib/core/message/wire-format.js';
import { figuresOf, FLAWLESS, tellFigures } from '../helpers/figures.js';
import { Fleet } from '../helpers/fleet.js';
import { History } from '../helpers/history.js';
import { judge } from '../helpers/judge.js';
import { describeWithNamespace } from '../helpers/namespace.js';
import { startRedis } from '../helpers/redis.js';
import { Wire } from '../helpers/wire.js';
import { connect, IMPATIENT, lagLeft, within } from '../helpers/workload.js';

const PROGRAM = new URL('./programs/member.mjs', import.meta.url);
/** Long: RIVULET_DROP_SECONDS=60. A connection that gets no reply is given up after five. */
const SECONDS = Number(process.env['RIVULET_DROP_SECONDS'] ?? 6);
const LANES = 8;
const EACH = 20 + SECONDS * 10;
const QUEUES = 2;
const SOCKET = 'redis.sock';

describeWithNamespace('net')('packets that the kernel drops, in both directions', () => {
  it('cost nothing but that time: processes neither wait for TCP to give up nor need a restart', async () => {
    const wire = await Wire.lay();
    const redis = await startRedis({
      args: ['--bind', wire.address, '--protected-mode', 'no'],
      socket: SOCKET,
      through: () => wire.far.enter,
    });
    const url = `redis://${wire.address}:${redis.port}`;
    const history = new History();
    const settings = {
      ...IMPATIENT,
      producer: { sendTimeoutMs: 4_000 },
      topics: { queues: QUEUES },
      ordered: { leaseMs: 2_500, renewMs: 400, selfStopMs: 1_800, rebalanceDelayMs: 300 },
    };
    const launch = async (job: object): Promise<Fleet> => {
      const facts = JSON.stringify({ namespace: 'packets', settings, ...job });
      const through = wire.near.enter;
      const fleet = new Fleet({ program: PROGRAM, history, args: [url, facts], through });
      await fleet.launch();
      return fleet;
    };
    const consumes = { group: 'ledger', ordered: true, concurrency: 8, handlerMs: 5 };
    const job = { consumes: { ...consumes, maxAttempts: 50, onExhausted: 'park' } };
    const consumers = [await launch(job), await launch(job)];
    const sends = Array.from({ length: LANES * EACH }, (_, i) => {
      const [lane, seq] = [`g${i % LANES}`, Math.floor(i / LANES)];
      return { key: `${lane}:${seq}`, lane };
    });
    // A command line has room for a part of them only.
    const parts = [0, 1].map((part) => sends.filter((_, i) => (i % LANES) % 2 === part));
    const producers = await Promise.all(parts.map((part) => launch({ sends: part, pauseMs: 100 })));
    const handledInAll = () => history.keys('handled').size;
    await within(
      60_000,
      'the first messages',
      history.when(() => handledInAll() >= LANES * 4),
    );

    history.broken();
    wire.cut();
    await pass(SECONDS * 1_000);
    const handledBefore = handledInAll();
    wire.mend();
    history.healed();
    await within(
      60_000,
      'messages after the cut',
      history.when(() => handledInAll() > handledBefore),
    );
    const answers = () =>
      history.count('confirmed') + history.count('failed') + history.count('unknown');
    await within(
      60_000,
      'answers to all sends',
      history.when(() => answers() === sends.length),
    );

    const watching = connect({ path: `${redis.dir}/${SOCKET}` }, 'packets', settings);
    await watching.open();
    const left = await lagLeft(watching, { topic: 'orders', group: 'ledger' });
    const stored: string[] = [];
    for (let queue = 0; queue < QUEUES; queue++) {
      const range = { topic: 'orders', queue, from: '-', to: '+', count: 100_000 };
      for (const entry of await watching.stores.log.range(range))
        if (entry.content.kind === 'message')
          stored.push(decodeMessage(entry, entry.content.frame).key ?? '?');
    }
    await Promise.all([...consumers, ...producers].map((fleet) => fleet.stop()));
    await watching.stop(2_000);
    await redis.stop();
    await wire.close();
    const verdict = judge(history.happenings, { stored, ordered: [''] });
    tellFigures('packets', { droppedSeconds: SECONDS, ...figuresOf(verdict), left });
    expect(verdict).toMatchObject({ ...FLAWLESS, sent: sends.length });
    expect(left).toBe(0);
  });
});
