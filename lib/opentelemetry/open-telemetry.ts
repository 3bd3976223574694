import {
  context,
  type Meter,
  metrics,
  type MeterProvider,
  trace,
  type TracerProvider,
} from '@opentelemetry/api';
import { InvalidOptionsError } from '../core/message/errors.js';
import { describeValue, isOptions, unknownOptions } from '../core/message/options.js';
import type { Telemetry } from '../core/runtime/telemetry.js';
import { Metrics } from './metrics.js';
import { type Relation, Spans } from './spans.js';
import { carriedBy } from './span-context.js';

export interface OpenTelemetryOptions {
  /**
   * How the span of a handler belongs to that of the send. `parent` (default): one trace from the send to the last handler.
   * `link`: each handler begins a trace of its own, with a link to the send; for topics with many groups, or long delays.
   */
  relation?: Relation;
  /**
   * Whether to tell, with each collection of the metrics, how far this process's groups are behind, which asks the store
   * once per queue and group. Default true. Every process of a group tells the same number: take the maximum.
   */
  lag?: boolean;
  /** Default: the global ones, which an SDK registers. */
  tracerProvider?: TracerProvider;
  meterProvider?: MeterProvider;
}

const NAME = 'nestjs-rivulet';
const KNOWN = [
  'relation',
  'lag',
  'tracerProvider',
  'meterProvider',
] as const satisfies readonly (keyof OpenTelemetryOptions)[];

/**
 * Spans and metrics by OpenTelemetry: `RivuletModule.forRoot({ telemetry: openTelemetry() })`.
 *
 * A span `send <topic>` from each send to its confirm; a span `process <topic>` around each attempt, before guards run.
 * The message carries `traceparent` and `tracestate`, and `baggage` if the SDK's propagator writes it, through halves,
 * delays, retries and dead letters. Without an SDK nothing is recorded, and what a message brings is still handed on.
 * Bodies and properties never leave the process.
 *
 * @throws InvalidOptionsError
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const { relation = 'parent', lag = true } = isOptions(options) ? options : {};
  const problems = [
    ...unknownOptions(options, KNOWN),
    relation === 'parent' || relation === 'link'
      ? undefined
      : `relation must be "${'parent' satisfies Relation}" or "${'link' satisfies Relation}", got: ${describeValue(relation satisfies never)}`,
    typeof lag === 'boolean' ? undefined : `lag must be true or false, got: ${describeValue(lag)}`,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new InvalidOptionsError('Options of openTelemetry', problems);

  const tracer = (options.tracerProvider ?? trace).getTracer(NAME);
  const spans = new Spans({ tracer, relation });
  const meter = (): Meter => (options.meterProvider ?? metrics).getMeter(NAME);
  let made: Metrics | undefined;
  // Not now: what is made before an SDK registers itself stays deaf, other than with tracers.
  const measures = (): Metrics => (made ??= new Metrics({ meter: meter(), hasLag: lag }));
  return {
    current: () => carriedBy(context.active()),
    sending: (sent, run) => measures().timedSend(sent.topic, () => spans.sending(sent, run)),
    handling(delivery, run) {
      const ended = measures().handlingBegan(delivery);
      const outcome = spans.handling(delivery, run);
      if (!(outcome instanceof Promise)) {
        ended(outcome.error);
        return outcome;
      }
      return outcome.then((later) => {
        ended(later.error);
        return later;
      });
    },
    async handlingBatch(deliveries, run) {
      const ended = measures().handlingBegan(deliveries[0]!);
      try {
        const result = await spans.handlingBatch(deliveries, run);
        ended(undefined);
        return result;
      } catch (error) {
        ended(error);
        throw error;
      }
    },
    measure: (measured) => measures().measure(measured),
  };
}
