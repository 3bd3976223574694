import { QueueFaultedError } from '../../lib/core/message/errors.js';
import { Keys } from '../../lib/redis/keys.js';
import { RedisStores } from '../../lib/redis/redis-stores.js';
import { join, numbered, publishTexts } from '../contract/messages.js';
import { TestOwner } from '../contract/test-owner.js';
import { newNamespace } from './helpers/open-stores.js';
import { ownServer } from './helpers/own-server.js';

const BILLING = { topic: 'orders', queue: 0, group: 'billing' };
const PAGE = 10;

describe('what piled up for an ordered group, read without a script that carries the messages', () => {
  const own = ownServer();
  let stores: RedisStores;
  let keys: Keys;
  let offsets: string[];
  let owner: TestOwner;
  let other: TestOwner;
  beforeEach(async () => {
    const namespace = newNamespace();
    keys = new Keys({ namespace });
    stores = new RedisStores({ connection: own.url, namespace });
    await stores.open(20_000);
    await stores.topics.declare('orders', { queues: 1 });
    await join(stores, 'billing');
    offsets = await publishTexts(stores, numbered(3 * PAGE + 5));
    [owner, other] = ['a', 'b'].map((name) => new TestOwner(stores, BILLING, name)) as [
      TestOwner,
      TestOwner,
    ];
    await owner.own();
    // From here on more is taken to be there.
    await owner.readOffsets(PAGE);
  });
  afterEach(() => stores.close());

  const inFlight = async (): Promise<number> =>
    (await stores.deliveries.lag(BILLING)).inFlight ?? -1;
  const takeOver = async (): Promise<void> => {
    await owner.renew(0);
    expect(await other.acquire()).toBe(true);
    await other.load();
  };

  it('comes in order, with its end, and leaves no door behind', async () => {
    const found: string[] = [];
    for (let page = 0; page < 3; page++) found.push(...(await owner.readOffsets(PAGE)));
    expect(found).toEqual(offsets.slice(PAGE));
    const end = { state: 'read', entries: [], position: offsets.at(-1) };
    expect(await owner.read(PAGE)).toMatchObject(end);
    expect(await inFlight()).toBe(offsets.length);
    expect(await own.redis.exists(keys.groupQueue(BILLING).door)).toBe(0);
  });

  it('tells its end also where that is the end of a page', async () => {
    await owner.readOffsets(PAGE);
    await owner.readOffsets(PAGE + 5);
    const end = { state: 'read', entries: [], position: offsets.at(-1) };
    expect(await owner.read(PAGE)).toMatchObject(end);
    expect(await owner.begin('=x', offsets[0]!)).toMatchObject({ state: 'done' });
  });

  it('is handed out to nobody but the owner', async () => {
    await takeOver();
    expect(await owner.read(PAGE)).toEqual({ state: 'fenced' });
    expect(await inFlight()).toBe(PAGE);
    expect(await other.readOffsets(PAGE)).toEqual(offsets.slice(PAGE, 2 * PAGE));
  });

  it('is not handed out to an owner who believes in another version', async () => {
    const { proof } = owner;
    await owner.begin('=x', offsets[0]!);
    owner.proof = proof;
    expect(await owner.read(PAGE)).toEqual({ state: 'gap' });
    expect(await inFlight()).toBe(PAGE);
  });

  it('is not handed out to an owner that has not loaded what came before', async () => {
    await owner.acquire();
    expect(await owner.read(PAGE)).toEqual({ state: 'gap' });
    expect(await inFlight()).toBe(PAGE);
  });

  it('is not handed out to a call of its owner from before it acquired anew', async () => {
    const { proof } = owner;
    await owner.own();
    owner.proof = proof;
    expect(await owner.read(PAGE)).toEqual({ state: 'fenced' });
    expect(await inFlight()).toBe(PAGE);
  });

  it('leaves another version behind, so that a call that was on its way changes nothing', async () => {
    const { proof } = owner;
    await owner.readOffsets(PAGE);
    owner.proof = proof;
    expect(await owner.begin('=x', offsets[0]!)).toEqual({ state: 'gap' });
  });

  it('is read on by a server that forgot its scripts, and is still guarded', async () => {
    await own.redis.script('FLUSH');
    expect(await owner.readOffsets(PAGE)).toEqual(offsets.slice(PAGE, 2 * PAGE));
    await takeOver();
    await own.redis.script('FLUSH');
    expect(await owner.read(PAGE)).toEqual({ state: 'fenced' });
    expect(await inFlight()).toBe(2 * PAGE);
  });

  it('stays shut where somebody left the door open', async () => {
    const { door } = keys.groupQueue(BILLING);
    await own.redis.xgroup('CREATE', door, 'billing', '0', 'MKSTREAM');
    await takeOver();
    await own.redis.script('FLUSH');
    expect(await owner.read(PAGE)).toEqual({ state: 'fenced' });
    expect(await inFlight()).toBe(PAGE);
  });

  it('is read when the server is out of memory', async () => {
    await own.redis.config('SET', 'maxmemory', '1');
    try {
      expect(await owner.readOffsets(PAGE)).toEqual(offsets.slice(PAGE, 2 * PAGE));
    } finally {
      await own.redis.config('SET', 'maxmemory', '0');
    }
  });

  it('is a fault of its queue where the lease is something else', async () => {
    const { log, lease, door } = keys.groupQueue(BILLING);
    await own.redis.set(lease, 'other');
    await expect(owner.read(PAGE)).rejects.toMatchObject({ fault: 'wrong-type' });
    const [pending] = await own.redis.xpending(log, 'billing');
    expect(pending).toBe(PAGE);
    expect(await own.redis.exists(door)).toBe(0);
  });

  it('is a fault of its queue when the consumer group is gone', async () => {
    await own.redis.xgroup('DESTROY', keys.groupQueue(BILLING).log, 'billing');
    await expect(owner.read(PAGE)).rejects.toThrow(QueueFaultedError);
    expect(await own.redis.exists(keys.groupQueue(BILLING).door)).toBe(0);
  });
});
