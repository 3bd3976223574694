import { Heartbeat } from '../../../lib/core/consumer/heartbeat.js';
import { sleep } from '../../../lib/core/runtime/clock.js';
import { StoreTime } from '../../../lib/core/store/store-time.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

describe('Heartbeat', () => {
  let clock: ManualClock;
  let stores: MemoryStores;
  let heartbeat: Heartbeat;
  let takenOver: string[];
  let lateBeats: number;
  let takeOver: () => Promise<boolean>;

  beforeEach(() => {
    clock = new ManualClock();
    stores = new MemoryStores({ clock });
    takenOver = [];
    lateBeats = 0;
    takeOver = () => Promise.resolve(true);
    heartbeat = new Heartbeat({
      member: 'me',
      members: stores.members,
      clock,
      storeTime: new StoreTime({ clock }),
      beatMs: 5_000,
      deadAfterMs: 15_000,
      takeOver: (member) => {
        takenOver.push(member);
        return takeOver();
      },
      onLateBeat: () => (lateBeats += 1),
      onError: () => {},
    });
  });
  afterEach(() => heartbeat.stop());

  const beatAt = async (): Promise<number | undefined> =>
    (await stores.members.beat('observer')).members.find(({ member }) => member === 'me')?.beatAt;

  /** Another member and we were there before. */
  async function outlastOutage(): Promise<void> {
    await stores.members.beat('other');
    await heartbeat.start();
    await clock.advance(5_000);
    stores.goDown();
    await clock.advance(30_000);
    stores.comeUp();
  }

  it('goes on while a take-over lasts', async () => {
    await stores.members.beat('dead');
    let end = (): void => {};
    takeOver = () => new Promise((resolve) => (end = () => resolve(true)));
    await heartbeat.start();
    await clock.advance(60_000);
    expect(takenOver).toEqual(['dead']);
    expect(clock.now() - (await beatAt())!).toBeLessThanOrEqual(5_000);
    end();
  });

  it('notices that it was late, also when somebody asked for the members meanwhile', async () => {
    await heartbeat.start();
    await clock.advance(1_000);
    stores.goDown();
    await clock.advance(30_000);
    stores.comeUp();
    await heartbeat.unlisted(['somebody']);
    await clock.advance(5_000);
    expect(lateBeats).toBe(1);
  });

  it('takes nobody for dead whom it could not hear', async () => {
    await outlastOutage();
    await stores.members.beat('other');
    await clock.advance(5_000);
    expect(takenOver).toEqual([]);
  });

  it('does not count the time in which nobody could beat, and counts what comes after it', async () => {
    await outlastOutage();
    // We are back first.
    await clock.advance(4_000);
    await stores.members.beat('other');
    await clock.advance(6_000);
    expect(takenOver).toEqual([]);
    await clock.advance(20_000);
    expect(takenOver).toEqual(['other']);
  });

  it('finds a dead member in its time, however long each answer takes', async () => {
    await stores.members.beat('dead');
    const beat = stores.members.beat.bind(stores.members);
    stores.members.beat = (member) => sleep(clock, 100).then(() => beat(member));
    const started = heartbeat.start();
    await clock.advance(100);
    await started;
    // The fourth answer, asked for after 15.3 s, and the verdict that follows it.
    await clock.advance(20_000);
    expect(takenOver).toEqual(['dead']);
  });

  it('takes over again from a member of which something was left', async () => {
    await stores.members.beat('dead');
    takeOver = () => Promise.resolve(takenOver.length > 1);
    await heartbeat.start();
    await clock.advance(60_000);
    expect(takenOver).toEqual(['dead', 'dead']);
    await heartbeat.stop();
    expect(clock.armed).toBe(0);
  });

  it('has nothing to take over from a member that left', async () => {
    await stores.members.beat('other');
    await heartbeat.start();
    await stores.members.leave('other');
    await clock.advance(60_000);
    expect(takenOver).toEqual([]);
  });

  it('keeps a dead member listed for an hour, so that every group takes over, and no longer', async () => {
    await stores.members.beat('dead');
    await heartbeat.start();
    await clock.advance(3_600_000);
    expect(await stores.members.lastBeats(['dead'])).toHaveLength(1);
    await clock.advance(60_000);
    expect(await stores.members.lastBeats(['dead', 'me'])).toMatchObject([{ member: 'me' }]);
    expect(takenOver).toEqual(['dead']);
  });
});
