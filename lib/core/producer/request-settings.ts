import { integerProblem } from '../message/options.js';

/** How much may wait for answers: to requests, and to sends with `receipt`. */
export interface RequestSettings {
  /** Most requests of this process without an answer; further ones fail at once with `LimitReachedError`. Default 10 000. */
  maxOpen: number;
  /** Likewise sends with `receipt`. Default 10 000. */
  maxReceipts: number;
  /**
   * Most bytes of answers that wait in the store until this process reads them, and as many that wait here for the confirm of
   * their request. Who answers waits for room, for half a second at most. Default 64 MiB.
   */
  maxInboxBytes: number;
}

export const DEFAULT_REQUEST_SETTINGS: RequestSettings = {
  maxOpen: 10_000,
  maxReceipts: 10_000,
  maxInboxBytes: 64 * 1024 * 1024,
};

export function requestSettingProblems(settings: RequestSettings): (string | undefined)[] {
  return Object.entries(settings).map(([name, value]) =>
    integerProblem(`requests.${name}`, value, { min: 1 }),
  );
}
