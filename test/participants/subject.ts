import type { TransactionParticipant, Verdict } from '../../lib/core/transaction/participant.js';
import type { OpenParticipants, ParticipantHarness } from './harness.js';
import { soon, transactionId } from './ids.js';

// oxlint-disable-next-line typescript/no-explicit-any -- each client has a handle of its own
type AnyTx = any;

export interface Placement {
  deadline?: number;
  options?: unknown;
  beforeBody?(id: string): Promise<void>;
  beforeMark?(tx: AnyTx): Promise<void>;
  afterMark?(tx: AnyTx): Promise<void>;
}

/** The harness of the running test, and three participants of its database, each like a process of its own. */
export interface Subject {
  readonly h: ParticipantHarness;
  readonly local: TransactionParticipant<AnyTx>;
  readonly checker: TransactionParticipant<AnyTx>;
  readonly other: TransactionParticipant<AnyTx>;
  /** A transaction of the application: writes an order, then the marker. */
  place(order: string, placement?: Placement): { id: string; placed: Promise<string> };
  verdict(id: string): Promise<Verdict | undefined>;
}

export const nothing = (): void => undefined;

/** One database for all tests of a file, emptied for each: making one takes longer than a test. */
export function useParticipants(open: OpenParticipants): Subject {
  let h: ParticipantHarness;
  let participants: TransactionParticipant<AnyTx>[];
  beforeAll(async () => {
    h = await open();
    participants = await Promise.all([h.open(), h.open(), h.open()]);
    await Promise.all(participants.map((participant) => participant.prepare()));
  });
  beforeEach(() => h.empty());
  afterAll(() => h?.close());

  const subject: Subject = {
    get h() {
      return h;
    },
    get local() {
      return participants[0]!;
    },
    get checker() {
      return participants[1]!;
    },
    get other() {
      return participants[2]!;
    },
    place(order, { deadline = soon(), options, beforeBody, beforeMark, afterMark } = {}) {
      const id = transactionId();
      const placing = async (): Promise<string> => {
        await beforeBody?.(id);
        return subject.local.run(async (tx) => {
          await h.write(tx, order);
          await beforeMark?.(tx);
          await subject.local.mark(tx, { id, deadline });
          await afterMark?.(tx);
          return `result of ${order}`;
        }, options);
      };
      const placed = placing();
      placed.catch(nothing); // a test looks at it later
      return { id, placed };
    },
    verdict: async (id) => (await subject.checker.decide([id])).get(id),
  };
  return subject;
}
