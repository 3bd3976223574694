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

/**
 * The logger of an application, which may throw: what it was told about must end all the same, a delivery for one, whose
 * slot would be lost. A line it does not take is dropped.
 */
export function steadyLogger(logger: Logger): Logger {
  const steady = (write: (line: string) => void) => (line: string) => {
    try {
      write(line);
    } catch {
      // There is nobody left to tell.
    }
  };
  return {
    error: steady((line) => logger.error(line)),
    warn: steady((line) => logger.warn(line)),
    log: steady((line) => logger.log(line)),
    debug: steady((line) => logger.debug(line)),
  };
}
