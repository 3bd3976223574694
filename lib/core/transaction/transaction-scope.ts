import { AsyncLocalStorage } from 'node:async_hooks';
import type { UnitOfWork } from './unit-of-work.js';

/**
 * Which unit of work the running code belongs to: whatever a body calls or awaits, and nobody else.
 *
 * One scope per instance of Rivulet, so that two applications in one process never meet.
 */
export class TransactionScope {
  private readonly storage = new AsyncLocalStorage<UnitOfWork | undefined>();
  private used = false;

  run<T>(unit: UnitOfWork, work: () => T): T {
    this.used = true;
    return this.storage.run(unit, work);
  }

  /** Work that is no part of the unit of work it is called from, such as what goes on after its end. */
  outside<T>(work: () => T): T {
    // Not `exit`: that switches the tracking of the whole process off and on again.
    return this.current() ? this.storage.run(undefined, work) : work();
  }

  /** Also one that has ended: code that outlived its transaction is told so. Free of cost until the first one. */
  current(): UnitOfWork | undefined {
    return this.used ? this.storage.getStore() : undefined;
  }

  /** Nothing belongs to a unit of work any more. Before Node 24 each promise visits a storage that ever ran something. */
  close(): void {
    this.used = false;
    this.storage.disable();
  }
}
