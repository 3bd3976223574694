import type { Logger } from '../runtime/logger.js';
import type { ClaimedHalf, HalfMessageStore, TransactionId } from '../store/half-message-store.js';
import type { QueueRef } from '../store/refs.js';
import {
  afterDatabase,
  afterMethod,
  afterSet,
  type CheckPolicy,
  type CheckStep,
} from './check-policy.js';
import { decidingQueue } from './half-owner.js';
import type { Resolution, TransactionParticipant, Verdict } from './participant.js';
import type { Answerer } from './queue-check.js';

/** What became of a set is remembered for 24 hours after it was sent, which is after its halves were prepared. */
const REMEMBERED_MS = 23 * 3_600_000;

/** The database says what became of its transactions. */
export function databaseAnswerer(options: {
  participant: TransactionParticipant;
  /** That of the halves. */
  database: string;
  leaseMs: number;
  logger: Logger;
}): Answerer {
  const { participant, database, leaseMs, logger } = options;
  /** Told once, until it answers again: it is asked for as long as the trouble lasts. */
  let trouble: 'none' | 'failed' | 'elsewhere' = 'none';
  const turned = (now: typeof trouble, tell: () => void): void => {
    if (trouble !== now) tell();
    trouble = now;
  };
  const failed = (count: number, why: Error): void =>
    turned('failed', () =>
      logger.warn(
        `Database "${participant.name}" does not say what became of ${transactions(count)}: ${why.message}. They wait; it is asked again.`,
      ),
    );
  const verdicts = async (ids: readonly TransactionId[]): Promise<Map<TransactionId, Verdict>> => {
    try {
      // A restored copy, a replica or another database behind the same address has no right to decide.
      const identity = await participant.identity();
      if (identity === database) {
        let why: Error | undefined;
        const known = await participant.decide(ids, (error) => (why = error));
        if (why) failed(ids.filter((id) => known.get(id) === 'unknown').length, why);
        else turned('none', () => logger.warn(`Database "${participant.name}" answers again.`));
        return known;
      }
      turned('elsewhere', () =>
        logger.error(
          `Participant "${participant.name}" is connected to database ${identity}; ${transactions(ids.length)} of database ${database} cannot be decided. Connect it to that database again.`,
        ),
      );
    } catch (error) {
      failed(ids.length, error as Error);
    }
    return new Map();
  };
  return {
    needsFrames: false,
    leaseMs,
    async decide(_queue, halves, now) {
      const known = await verdicts(halves.map(({ id }) => id));
      return stepsFor(halves, (half) => afterDatabase(known.get(half.id) ?? 'unknown', half, now));
    },
  };
}

function transactions(count: number): string {
  return count === 1 ? '1 transaction' : `${count} transactions`;
}

/** Who answers for transactions without a database, by the transaction's name. */
export interface CheckMethodBook {
  readonly names: readonly string[];
  /** Never rejects. `frame`: the first message of the transaction. */
  ask(name: string, half: QueueRef & { id: TransactionId; frame: Buffer }): Promise<Resolution>;
}

/** A method of the application says what became of its transactions. */
export function methodAnswerer(options: {
  name: string;
  methods: CheckMethodBook;
  policy: CheckPolicy;
  leaseMs: number;
}): Answerer {
  const { name, methods, policy, leaseMs } = options;
  return {
    needsFrames: true,
    leaseMs,
    async decide({ topic, queue }, halves, now) {
      const answers = await Promise.all(
        halves.map(({ id, frames }) => methods.ask(name, { topic, queue, id, frame: frames[0]! })),
      );
      return stepsFor(halves, (half, i) => afterMethod(answers[i]!, half, { now, policy }));
    },
  };
}

/**
 * The queue where a set is decided says what became of it. Asking is deciding: a set that was not sent by then is not sent any
 * more, since the question leaves a mark that refuses the append.
 */
export function setAnswerer(options: {
  halves: Pick<HalfMessageStore, 'commit' | 'rollback'>;
  leaseMs: number;
  logger: Logger;
}): Answerer {
  const { halves, leaseMs, logger } = options;
  const verdictOf = async (half: ClaimedHalf, now: number): Promise<Verdict> => {
    const queue = { ...decidingQueue(half.name), owner: half.owner };
    try {
      // Where nothing is remembered any more, a mark would decide against what was perhaps sent. There is no half to commit.
      const isRemembered = now - half.preparedAt < REMEMBERED_MS;
      const [reply] = isRemembered
        ? await halves.rollback(queue, [half.id])
        : await halves.commit(queue, [half.id]);
      if (reply!.state === 'unknown') return 'forgotten';
      return reply!.state === 'committed' ? 'commit' : 'rollback';
    } catch (error) {
      logger.warn(
        `Queue ${half.name} could not be asked about set ${half.id}: ${(error as Error).message}. It waits; it is asked again.`,
      );
      return 'unknown';
    }
  };
  return {
    needsFrames: false,
    leaseMs,
    async decide(_queue, claimed, now) {
      const verdicts = await Promise.all(claimed.map((half) => verdictOf(half, now)));
      return stepsFor(claimed, (half, i) => afterSet(verdicts[i]!, half, now));
    },
  };
}

function stepsFor(
  halves: readonly ClaimedHalf[],
  stepFor: (half: ClaimedHalf, i: number) => CheckStep,
): Map<TransactionId, CheckStep> {
  return new Map(halves.map((half, i) => [half.id, stepFor(half, i)]));
}
