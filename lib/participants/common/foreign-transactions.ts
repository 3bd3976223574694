import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';

type Begin = (...args: unknown[]) => unknown;

const ENDED = { open: false };
/** Of the handles of all clients. */
const SAVEPOINTS = ['transaction', 'savepoint'];

/** What `TransactionParticipant.foreign` answers within one. */
export const INSTEAD_OF_FOREIGN = insteadOf(
  ', with propagation "nested" for a savepoint within one',
);
/** Likewise, of a client without savepoints. */
export const INSTEAD_OF_FOREIGN_FLAT = insteadOf('');

function insteadOf(savepoint: string): string {
  return (
    `Begin it with @Transactional() or producer.transaction()${savepoint}; or wrap the adapter that begins it with ` +
    'withMessaging(); or send with { transaction: false }, which sends at once.'
  );
}

/**
 * Transactions that the application begins on a client by itself, so that a send within one can be refused: whether it
 * may be delivered would depend on a COMMIT that nobody sees.
 *
 * Within a transaction of ours, a savepoint of its own handle (`tx.transaction(async …)`) is one, too: rolled back, it would leave
 * the messages that were sent in it.
 *
 * Seen are those whose body is a function handed to the client (`dataSource.transaction(async …)`), whoever hands it
 * over, also the decorator of another library. A transaction that is begun and ended by statements is not seen.
 */
export class ForeignTransactions {
  private static readonly ofClients = new WeakMap<object, ForeignTransactions>();

  /** The client's own `method`, for transactions that are ours. */
  readonly begin: Begin;
  /** Of ours, those that are watched for savepoints. */
  private readonly handles = new WeakSet<object>();
  private readonly storage = new AsyncLocalStorage<{ open: boolean }>();
  /** Tracking costs every promise of the process, so it begins with the first of them. */
  private used = false;

  /** From now on those of `client[method]` are seen. Safe to repeat: participants of one client share one watch. */
  static of(client: object, method: string): ForeignTransactions {
    const known = this.ofClients.get(client);
    if (known) return known;
    const watch = new ForeignTransactions(client as Record<string, Begin>, method);
    this.ofClients.set(client, watch);
    return watch;
  }

  private constructor(client: Record<string, Begin>, method: string) {
    this.begin = client[method]!.bind(client);
    this.patch(client, method);
  }

  private patch(client: Record<string, Begin>, method: string): void {
    const original = client[method]!;
    const watch = (args: unknown[]): unknown[] =>
      args.map((arg) => (typeof arg === 'function' ? this.watched(arg) : arg));
    // Called on a client that was derived from this one (`prisma.$extends`), it begins a transaction of that one.
    function value(this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(original, this ?? client, watch(args));
    }
    // A client that does not let itself be changed is not watched: it works as before.
    Reflect.defineProperty(client, method, { value, configurable: true, writable: true });
  }

  /** Whether the code that runs now belongs to one. */
  isOpen(): boolean {
    return this.used && (this.storage.getStore() ?? ENDED).open;
  }

  /** Runs what belongs to a transaction of ours: only what begins in there, on its handle too, is somebody else's. */
  within<R>(handle: object, work: () => R): R {
    if (!this.handles.has(handle)) {
      this.handles.add(handle);
      const client = handle as Record<string, Begin>;
      for (const method of SAVEPOINTS)
        if (typeof client[method] === 'function') this.patch(client, method);
    }
    return this.isOpen() ? this.storage.run(ENDED, work) : work();
  }

  /** Bodies get along with being called more than once: their clients may repeat them. */
  private watched(body: Function): Begin {
    return (...args) => {
      this.used = true;
      const transaction = { open: true };
      const end = (): void => void (transaction.open = false);
      const result: unknown = this.storage.run(transaction, () => body(...args) as unknown);
      // A loop or a timer that was started within it lives on after its end. To ask another thenable would run it: a
      // query of Knex begins with `then`.
      if (types.isPromise(result)) result.then(end, end);
      else end();
      return result;
    };
  }
}
