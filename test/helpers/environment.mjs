// jest's testEnvironment: that of Node, in which a test file leaves nothing that slows down the next one.
//
// Before Node 24 every promise visits every AsyncLocalStorage that ever ran something in its process. Each Rivulet has
// some, jest keeps a process for many files, and these make hundreds.
import { AsyncLocalStorage } from 'node:async_hooks';
import { TestEnvironment } from 'jest-environment-node';

const { run } = AsyncLocalStorage.prototype;
const used = new Set();

AsyncLocalStorage.prototype.run = function (...args) {
  used.add(this);
  return run.apply(this, args);
};

export default class extends TestEnvironment {
  async teardown() {
    await super.teardown();
    for (const storage of used) storage.disable();
    used.clear();
  }
}
