import {
  GroupRegistration,
  type GroupRegistrationOptions,
} from '../../../lib/core/consumer/group-registration.js';
import { StoreUnavailableError } from '../../../lib/core/message/errors.js';
import { Events } from '../../../lib/core/runtime/events.js';
import { silentLogger } from '../../../lib/core/runtime/logger.js';

const LIFE = { queues: 1, generation: 1 };
const VANISHED = { topic: 'orders', queue: 0 };

function failing(): Promise<never> {
  return Promise.reject(new StoreUnavailableError('The connection was lost'));
}

/** A group that is found gone, once, in a store where the calls that follow fail. */
function registration(calls: {
  enroll(): Promise<void>;
  removedGeneration(): Promise<undefined>;
}): {
  registration: GroupRegistration;
  alarms: unknown[];
} {
  let recreated = [VANISHED];
  const joinGroup = async (): Promise<unknown> => {
    const reply = { state: 'joined', created: false, recreated };
    recreated = [];
    return reply;
  };
  const events = new Events({ logger: silentLogger });
  const alarms: unknown[] = [];
  events.on('group-recreated', (facts) => alarms.push(facts));
  const known = { get: async () => LIFE, refresh: async () => LIFE };
  const options = {
    ...{ events, logger: silentLogger, mode: 'unordered', reader: 'me', topic: known },
    subscription: { topic: 'orders', group: 'billing', origin: 'billing' },
    stores: {
      topics: { joinGroup, removedGeneration: calls.removedGeneration },
      deliveries: { enroll: calls.enroll },
    },
  } as unknown as GroupRegistrationOptions;
  return { registration: new GroupRegistration(options), alarms };
}

describe('A group that had vanished', () => {
  it.each([
    ['at the start', (of: GroupRegistration) => of.join()],
    ['while it was read', (of: GroupRegistration) => of.joinAgain([VANISHED])],
  ])('is told of %s, also when nothing can be asked afterwards', async (_, join) => {
    const { registration: joining, alarms } = registration({
      enroll: failing,
      removedGeneration: failing,
    });
    await expect(join(joining)).rejects.toThrow(StoreUnavailableError);
    await expect(join(joining)).rejects.toThrow(StoreUnavailableError);
    expect(alarms).toEqual([expect.objectContaining({ ...VANISHED, group: 'billing' })]);
  });
});
