import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CBaggagePropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

const NEVER_MS = 2 ** 30;

/** The real SDK, as an application would register it, with everything it exports kept in memory. */
export class Sdk {
  private readonly spanExporter = new InMemorySpanExporter();
  private readonly metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  readonly tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(this.spanExporter)],
  });
  readonly meterProvider = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter: this.metricExporter,
        exportIntervalMillis: NEVER_MS,
      }),
    ],
  });
  readonly tracer = this.tracerProvider.getTracer('test');

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CBaggagePropagator());
  }

  /** Finished spans with this name, in the order of their ends. */
  spans(name: string): ReadableSpan[] {
    return this.spanExporter.getFinishedSpans().filter((span) => span.name === name);
  }

  spansLike(name: RegExp): ReadableSpan[] {
    return this.spanExporter.getFinishedSpans().filter((span) => name.test(span.name));
  }

  /** Everything that was measured so far: `name{attributes} value`, without what the names have in common. */
  async measured(name: string): Promise<Record<string, number>> {
    this.metricExporter.reset();
    await this.meterProvider.forceFlush();
    const points = this.metricExporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }): DataPoint<number | { count: number }>[] => dataPoints);
    return Object.fromEntries(
      points.map(({ attributes, value }) => [
        Object.entries(attributes)
          .filter(([key]) => !/system|operation/.test(key))
          .map(([, label]) => String(label))
          .join(' '),
        typeof value === 'number' ? value : value.count,
      ]),
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.tracerProvider.shutdown(), this.meterProvider.shutdown()]);
    context.disable();
    propagation.disable();
    trace.disable();
  }
}
