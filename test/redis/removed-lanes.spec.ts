import { Keys } from '../../lib/redis/keys.js';
import type { RedisStores } from '../../lib/redis/redis-stores.js';
import { TestOwner } from '../contract/test-owner.js';
import { interruptedRegistry } from './helpers/interrupted-registry.js';
import { entries, newNamespace, openStores, session } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const GROUP = { group: 'billing', mode: 'ordered', filterDigest: '', from: 'earliest' } as const;
/** More commands than a removal sends. */
const MOST_COMMANDS = 40;
const LANE = '=g';

const server = ownServer();

describe('a lane of an ordered group', () => {
  let stores: RedisStores;
  let keys: Keys;
  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    stores = await openStores(server.url, { namespace });
  });
  afterEach(() => stores.close());

  /** The owner of a queue with two messages, which it has in hand. */
  async function owner(topic: string): Promise<{ owner: TestOwner; offsets: string[] }> {
    const { generation } = await stores.topics.declare(topic, { queues: 1 });
    await stores.topics.joinGroup(topic, GROUP);
    await stores.log.append(session(topic, generation).call(entries('m1', 'm2')));
    const made = new TestOwner(stores, { topic, queue: 0, group: GROUP.group }, 'a');
    await made.own();
    return { owner: made, offsets: await made.readOffsets() };
  }

  it.each(['its group', 'its topic'] as const)(
    'leaves nothing behind that it was given while %s is removed, at whatever moment',
    async (what) => {
      let [moments, held] = [0, 0];
      for (let nth = 0; nth < MOST_COMMANDS; nth++) {
        const topic = `orders-${nth}`;
        const { owner: a, offsets } = await owner(topic);
        const { registry, happened } = interruptedRegistry({
          ...{ stores, keys, nth },
          before: async () => {
            // Refused once the removal has come to this queue.
            const reply = await a.hold(LANE, ...offsets).catch(() => undefined);
            if (reply?.state === 'done') held += 1;
          },
        });
        await (what === 'its group'
          ? registry.removeGroup(topic, GROUP.group)
          : registry.remove(topic));
        const ofGroup = keys.groupQueue({ topic, queue: 0, group: GROUP.group });
        expect([nth, await server.redis.exists(ofGroup.held(LANE))]).toEqual([nth, 0]);
        if (!happened()) break;
        moments += 1;
      }
      expect(moments).toBeGreaterThan(2);
      expect(moments).toBeLessThan(MOST_COMMANDS);
      expect(held).toBeGreaterThan(0);
    },
  );

  it('takes nothing for its own that stands in its list from before', async () => {
    const { owner: a, offsets } = await owner('orders');
    const ofGroup = keys.groupQueue({ topic: 'orders', queue: 0, group: GROUP.group });
    await a.hold(LANE, offsets[0]!);
    await server.redis.del(ofGroup.hold);
    await a.hold(LANE, offsets[1]!);
    expect(await server.redis.llen(ofGroup.held(LANE))).toBe(1);
    const begun = { kind: 'begin', offset: offsets[1]!, alone: false } as const;
    expect(await a.stepHeld(LANE, begun)).toMatchObject({ state: 'done' });
  });
});
