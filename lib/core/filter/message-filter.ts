import { createHash } from 'node:crypto';
import { knownToCopies } from '../message/any-copy.js';
import type { MessageView } from '../message/message.js';
import { compileHeaders, type HeaderMatch, type WantedHeaders } from './header-match.js';
import { readSelector, type SelectorLimits } from './selector.js';
import { compileTags, parseTags } from './tag-expression.js';

/** What of a message a filter looks at: nothing that would need its body. */
export type Filterable = Pick<MessageView, 'tag' | 'key' | 'properties'>;

/** Longer ones are registered by their hash. */
const LONGEST_DIGEST = 200;

/** Which messages of a topic a subscription wants: made by `tags`, `selector` or `headers`. */
export class MessageFilter {
  static {
    knownToCopies(this, 'MessageFilter');
  }

  /** The same for filters that want the same by the same words: what members of a consumer group must agree on. */
  readonly digest: string;
  readonly #matches: (message: Filterable) => boolean;

  constructor(canonical: string, matches: (message: Filterable) => boolean) {
    this.digest = canonical.length <= LONGEST_DIGEST ? canonical : shortened(canonical);
    this.#matches = matches;
  }

  /** Never throws. */
  matches(message: Filterable): boolean {
    return this.#matches(message);
  }
}

/** Messages with one of these tags: `tags('created || paid')`. @throws FilterSyntaxError */
export function tags(expression: string): MessageFilter {
  const matches = compileTags(expression);
  const canonical = parseTags(expression)?.toSorted().join(' || ') ?? '*';
  return new MessageFilter(`tags ${canonical}`, ({ tag }) => matches(tag));
}

/**
 * Messages whose properties fulfil a condition: `selector("amount > 100 AND region IN ('eu', 'uk')")`. As RocketMQ has
 * it, `TAGS` is the tag and `KEYS` the key. See `compileSelector` for the language.
 *
 * @throws SelectorSyntaxError
 */
export function selector(expression: string, limits?: SelectorLimits): MessageFilter {
  const { canonical, evaluate } = readSelector(expression, limits);
  return new MessageFilter(`selector ${canonical}`, (message) => evaluate(message) === true);
}

/**
 * Messages with these properties, `all` of them or `any`: `headers({ region: 'eu', express: null })`. Values are
 * compared with their types; null stands for any value.
 *
 * @throws InvalidOptionsError
 */
export function headers(wanted: WantedHeaders, match: HeaderMatch = 'all'): MessageFilter {
  const matches = compileHeaders(wanted, match);
  const sorted = Object.entries(wanted).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const canonical = `headers ${match} ${JSON.stringify(sorted)}`;
  return new MessageFilter(canonical, ({ properties }) => matches(properties));
}

function shortened(canonical: string): string {
  const hash = createHash('sha256').update(canonical).digest('base64url');
  return `${canonical.slice(0, LONGEST_DIGEST - hash.length - 2)}… ${hash}`;
}
