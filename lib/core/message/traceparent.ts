const LENGTH = 55;
/** Version (there is no "ff"), trace id, parent id, flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Longest that every system has to hand on, by W3C. */
const LONGEST = { tracestate: 512, baggage: 8_192 };
const PRINTABLE = /^[\x20-\x7e]+$/;

/** Whether the text is a W3C trace context. */
export function isTraceparent(text: string): boolean {
  return text.length === LENGTH && TRACEPARENT.test(text);
}

/** Whether it may stand beside a traceparent. What is in it is between those who write and read it. */
export function isCarried(name: keyof typeof LONGEST, text: string): boolean {
  return text.length <= LONGEST[name] && PRINTABLE.test(text);
}
