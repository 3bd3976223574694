/**
 * Where the library talks to its operator. Nest's `Logger` fits as it is. Lines name topic, group, message id
 * and attempt; never a body, a property or a password.
 */
export interface Logger {
  error(line: string): void;
  warn(line: string): void;
  log(line: string): void;
  debug(line: string): void;
}

export const silentLogger: Logger = {
  error() {},
  warn() {},
  log() {},
  debug() {},
};
