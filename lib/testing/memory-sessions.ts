import type { AppendResult, ReopenCall, ReopenReply } from '../core/store/message-log.js';

/** Answers kept per session: as many as calls may be in flight (Kafka's number). */
const KEPT_ANSWERS = 5;
/** A session that was not used for so long is forgotten. */
const LIFETIME_MS = 24 * 3_600_000;

interface Session {
  /** Oldest epoch the store has seen; it cannot say anything about those before. */
  readonly knownSince: number;
  epoch: number;
  /** Number of the last call carried out in this epoch. */
  number: number;
  answers: { epoch: number; number: number; results: AppendResult[] }[];
  usedAt: number;
}

export type Verdict =
  | { kind: 'news' }
  | { kind: 'repeat'; results: AppendResult[] }
  | { kind: 'gap' | 'fenced' | 'new-session' | 'forgotten' };

interface Call {
  session: string;
  epoch: number;
  number: number;
}

/** Producer sessions of one queue: tell a repeated call from a new one and from a lost one. */
export class MemorySessions {
  private readonly sessions = new Map<string, Session>();

  judge(call: Call, now: number): Verdict {
    const session = this.find(call.session, now);
    if (!session) return { kind: call.number === 1 ? 'news' : 'new-session' };
    if (call.epoch < session.epoch) return { kind: 'fenced' };
    const next = call.epoch === session.epoch ? session.number + 1 : 1;
    if (call.number > next) return { kind: 'gap' };
    if (call.number === next) return { kind: 'news' };
    const answer = session.answers.find(
      ({ epoch, number }) => epoch === call.epoch && number === call.number,
    );
    // Older than the kept answers: no producer that keeps to five in flight asks. It must not be stored again.
    return answer ? { kind: 'repeat', results: answer.results } : { kind: 'forgotten' };
  }

  /** Remember the answer to a call that `judge` found to be news. */
  record(call: Call, results: AppendResult[], now: number): void {
    const session = this.find(call.session, now) ?? this.begin(call.session, call.epoch, now);
    session.epoch = call.epoch;
    session.number = call.number;
    session.usedAt = now;
    session.answers = [
      ...session.answers,
      { epoch: call.epoch, number: call.number, results },
    ].slice(-KEPT_ANSWERS);
  }

  reopen(call: ReopenCall, now: number): ReopenReply {
    const session = this.find(call.session, now);
    if (!session) {
      this.begin(call.session, call.epoch, now);
      return { state: 'new-session' };
    }
    session.usedAt = now;
    if (call.epoch > session.epoch) {
      session.epoch = call.epoch;
      session.number = 0;
    }
    // Also the repeat of a reopen that found nothing comes here: "not carried out" would be a guess.
    if (call.asked.some(({ epoch }) => epoch < session.knownSince)) return { state: 'new-session' };
    const answers = call.asked.map(
      (asked) =>
        session.answers.find(
          ({ epoch, number }) => epoch === asked.epoch && number === asked.number,
        )?.results ?? 'never',
    );
    return { state: 'open', answers };
  }

  private find(name: string, now: number): Session | undefined {
    const session = this.sessions.get(name);
    if (!session || now - session.usedAt <= LIFETIME_MS) return session;
    this.sessions.delete(name);
    return undefined;
  }

  private begin(name: string, epoch: number, now: number): Session {
    const session: Session = { knownSince: epoch, epoch, number: 0, answers: [], usedAt: now };
    this.sessions.set(name, session);
    return session;
  }
}
