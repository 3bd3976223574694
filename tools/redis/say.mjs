/** To stderr, so that stdout stays the command's own. */
export const say = (message) => process.stderr.write(`[redis] ${message}\n`);
