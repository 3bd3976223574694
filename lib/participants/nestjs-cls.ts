import type { TransactionalAdapter, TransactionalAdapterOptions } from '@nestjs-cls/transactional';
import { InvalidOptionsError } from '../core/message/errors.js';
import { unknownOptions } from '../core/message/options.js';
import { Transactions } from '../core/transaction/transactions.js';
import { checkGiven, type ClientWanted } from './common/given.js';

// oxlint-disable-next-line typescript/no-explicit-any -- adapters of any database
type Any = any;
type Wrapped = TransactionalAdapterOptions<Any, Any>;

export interface WithMessagingOptions {
  /**
   * Name of the participant that stands for the same database, made for the client library that the adapter is for: its
   * `tx` is the one of the adapter. Default `default`.
   */
  participant?: string;
  /** Of which instance of Rivulet: `getTransactionsToken(name)`. Default: the one without a name. */
  transactions?: Any;
}

const ADAPTER: ClientWanted = {
  what: 'an adapter of @nestjs-cls/transactional: new TransactionalAdapterTypeOrm({ … })',
  methods: ['optionsFactory'],
};

/**
 * Makes the transactions of `@nestjs-cls/transactional` ours, too: wrap its adapter where it is registered, and what is
 * sent under *its* `@Transactional()` is visible if and only if the transaction committed. A savepoint
 * (`Propagation.Nested`) that failed takes its messages with it; `Propagation.NotSupported` does not: what is sent there
 * still belongs to the transaction around it.
 *
 * @throws InvalidOptionsError for anything else, and for options that nobody knows.
 */
export function withMessaging<Adapter extends TransactionalAdapter<Any, Any, Any>>(
  adapter: Adapter,
  options: WithMessagingOptions = {},
): Adapter {
  checkGiven('withMessaging', { client: adapter, options }, ADAPTER);
  const problems = unknownOptions(options, ['participant', 'transactions']);
  if (problems.length > 0) throw new InvalidOptionsError('withMessaging', problems);
  const { participant, transactions: token = Transactions } = options;
  const others = adapter.extraProviderTokens ?? [];
  return Object.assign(Object.create(adapter) as Adapter, {
    extraProviderTokens: [...others, token],
    optionsFactory(connection: unknown, provided: unknown[]) {
      const transactions = provided.at(-1) as Transactions;
      const inner = adapter.optionsFactory(connection, provided.slice(0, -1));
      return wrap(inner, { transactions, name: participant ?? 'default' });
    },
  });
}

function wrap(
  inner: Wrapped,
  { transactions, name }: { transactions: Transactions; name: string },
): Wrapped {
  const nested = inner.wrapWithNestedTransaction?.bind(inner);
  return {
    ...inner,
    wrapWithTransaction: (options, method, setTx) =>
      transactions.manage(name, () => method(), {
        begin: async (body) => {
          let tx: unknown;
          const note = (opened: unknown): void => setTx((tx = opened));
          const opened = async (): Promise<unknown> => {
            await transactions.participant(name).opened?.(tx);
            return body(tx);
          };
          return (await inner.wrapWithTransaction(options, opened, note)) as never;
        },
      }),
    ...(nested && {
      wrapWithNestedTransaction: (options, method, setTx, outer) =>
        transactions.manage(name, () => method(), {
          isNested: true,
          begin: async (body) => {
            let tx: unknown = outer;
            const note = (opened: unknown): void => setTx((tx = opened));
            return (await nested(options, () => body(tx), note, outer)) as never;
          },
        }),
    }),
  };
}
