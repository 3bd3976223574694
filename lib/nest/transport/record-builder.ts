import { knownToCopies } from '../../core/message/any-copy.js';
import { InvalidInputError } from '../../core/message/errors.js';
import { isOptions, notOptions } from '../../core/message/options.js';
import type { PropertyValue, SendOptions } from '../../core/message/message.js';
import { reservedProblems } from '../metadata.js';

/** A body together with what `send` may say about it: give it to `client.emit` or `client.send` as the data. */
export class RivuletRecord<Body = unknown> {
  static {
    knownToCopies(this, 'RivuletRecord');
  }

  readonly data: Body;
  readonly options: Readonly<SendOptions>;

  /** @throws InvalidInputError for options that are none, and a property whose name is reserved. */
  constructor(data: Body, options: SendOptions) {
    const problems = isOptions(options)
      ? reservedProblems(options.properties)
      : [notOptions('options', options)];
    if (problems.length > 0) throw new InvalidInputError('RivuletRecord', problems);
    this.data = data;
    this.options = Object.freeze({
      ...options,
      ...(options.properties && { properties: Object.freeze({ ...options.properties }) }),
    });
    Object.freeze(this);
  }
}

/** Makes records; what was built does not change with its builder. */
export class RivuletRecordBuilder<Body = unknown> {
  private data: Body | undefined;
  private options: SendOptions = {};

  constructor(data?: Body) {
    this.data = data;
  }

  setData(data: Body): this {
    this.data = data;
    return this;
  }

  /** Any options of `send`; those given before stay. With `client.send`, `timeoutMs` is how long to wait for the answer. */
  setOptions(options: SendOptions): this {
    this.options = { ...this.options, ...options };
    return this;
  }

  setTag(tag: string): this {
    return this.setOptions({ tag });
  }

  setKey(key: string): this {
    return this.setOptions({ key });
  }

  setMessageGroup(messageGroup: string): this {
    return this.setOptions({ messageGroup });
  }

  setDelayMs(delayMs: number): this {
    return this.setOptions({ delayMs });
  }

  setProperty(name: string, value: PropertyValue | undefined): this {
    return this.setOptions({ properties: { ...this.options.properties, [name]: value } });
  }

  build(): RivuletRecord<Body> {
    return new RivuletRecord(this.data as Body, this.options);
  }
}
