import type { GivenProperties, Properties } from '../core/message/message.js';

/** Out-of-band values of instrumentation: Nest's `PacketMetadata`. */
export type Metadata = Record<string, string>;

/**
 * What a dispatch hook attached to a packet travels as one property, so that it passes through delays, retries and dead
 * letters like the others. Senders cannot set it; handlers see it as `ctx.getMetadata()` only.
 */
const RESERVED = '$metadata';

export function reservedProblems(properties: object | undefined): string[] {
  return properties && RESERVED in properties
    ? [`property "${RESERVED}" is reserved; use setOnDispatchHook to attach metadata`]
    : [];
}

export function withMetadata(
  properties: GivenProperties | undefined,
  metadata: Metadata | undefined,
): GivenProperties | undefined {
  return metadata === undefined
    ? properties
    : { ...properties, [RESERVED]: JSON.stringify(metadata) };
}

export function metadataOf(properties: Properties): Metadata | undefined {
  const text = properties[RESERVED];
  if (typeof text !== 'string') return undefined;
  try {
    const metadata: unknown = JSON.parse(text);
    return typeof metadata === 'object' && metadata !== null ? (metadata as Metadata) : undefined;
  } catch {
    // Another program wrote it: no reason to fail a message.
    return undefined;
  }
}

export function withoutMetadata(properties: Properties): Properties {
  if (!(RESERVED in properties)) return properties;
  const { [RESERVED]: _metadata, ...others } = properties;
  return others;
}
