const LENGTH = 55;
/** Version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whether the text is a W3C trace context. */
export function isTraceparent(text: string): boolean {
  return text.length === LENGTH && TRACEPARENT.test(text);
}
