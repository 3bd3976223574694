// Makes the library connect as the least user, whatever the process: loaded before anything else (NODE_OPTIONS), and by
// each test file, whose ioredis is one of its own.
import { Redis } from 'ioredis';
import { NAME, PASSWORD } from './rights.mjs';

const PATCHED = Symbol('connects as the least user');

/** Safe to repeat. The clients of the library are those with its name; one that has a user already keeps it. */
export function connectAsLeastUser() {
  const { connect } = Redis.prototype;
  if (connect[PATCHED]) return;
  Redis.prototype.connect = function (...args) {
    const { options } = this;
    if (options.connectionName?.startsWith('rivulet:') && !options.username && !options.password)
      Object.assign(options, { username: NAME, password: PASSWORD });
    return connect.apply(this, args);
  };
  Redis.prototype.connect[PATCHED] = true;
}

connectAsLeastUser();
