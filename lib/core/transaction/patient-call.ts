import {
  AcksMissedError,
  passes,
  StoreRefusedError,
  StoreUnavailableError,
} from '../message/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';

const PAUSE_MS = { from: 10, to: 250 };

/**
 * Asks the store until it answers or another try cannot help, for `patienceMs` at most. `ask` is told how much of that is left;
 * it must be safe to repeat.
 *
 * @throws the last error, but StoreUnavailableError once nobody knew whether the store acted: a later refusal does not say.
 */
export function patientCall<T>(options: {
  ask(leftMs: number): Promise<T>;
  patienceMs: number;
  clock: Clock;
}): Promise<T> {
  const { clock, patienceMs } = options;
  const until = clock.monotonic() + patienceMs;
  return new Promise((resolve, reject) => {
    let lastError: unknown;
    const giveUp = (): void =>
      reject(
        lastError instanceof Error
          ? lastError
          : new StoreUnavailableError(
              `The store did not answer within ${patienceMs} ms. Whether it acted is not known; the call can be repeated`,
            ),
      );
    let isOver = false;
    const cancel = clock.after(patienceMs, () => {
      isOver = true;
      giveUp();
    });
    const attempt = async (): Promise<void> => {
      for (let pauseMs = PAUSE_MS.from; !isOver; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.to)) {
        try {
          resolve(await options.ask(until - clock.monotonic()));
          break;
        } catch (error) {
          if (!(lastError instanceof StoreUnavailableError) || error instanceof AcksMissedError)
            lastError = error;
          if (!mayPass(error)) {
            giveUp();
            break;
          }
        }
        await sleep(clock, pauseMs);
      }
      cancel();
    };
    void attempt();
  });
}

/** It was waited for long enough when acks were missed. */
function mayPass(error: unknown): boolean {
  if (error instanceof StoreRefusedError) return passes(error);
  return error instanceof StoreUnavailableError && !(error instanceof AcksMissedError);
}
