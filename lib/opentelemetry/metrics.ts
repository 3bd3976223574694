import type { Attributes, BatchObservableResult, Meter } from '@opentelemetry/api';
import type { RivuletEventName, RivuletEvents } from '../core/runtime/events.js';
import type { HandledFacts, Measured } from '../core/runtime/telemetry.js';
import { errorType, operation, SYSTEM } from './attributes.js';

/** What became of deliveries: an event of ours, and the word for it in `messaging.rivulet.outcome`. */
const OUTCOMES = [
  'acked',
  'filtered',
  'duplicate',
  'retried',
  'dead-lettered',
  'dropped',
  'lane-parked',
  'message-skipped',
  'settle-refused',
] as const satisfies RivuletEventName[];

/** What somebody should look at. */
const ALARMS = [
  'group-recreated',
  'group-idle',
  'group-expired',
  'queue-faulted',
  'queue-lost',
  'message-held',
  'message-lost',
  'claim-lost',
  'half-parked',
  'half-unasked',
  'outbox-stuck',
  'in-doubt',
] as const satisfies RivuletEventName[];

/** Most that are kept from one use to the next; when there are more, all are made again. */
const MOST_LABELS = 10_000;

const SECONDS = { unit: 's', advice: { explicitBucketBoundaries: buckets() } };

/** Counters and durations by OpenTelemetry's conventions for messaging, and gauges of how far groups are behind. */
export class Metrics {
  private readonly meter: Meter;
  private readonly hasLag: boolean;
  private readonly sendDuration;
  private readonly processDuration;
  private readonly sent;
  private readonly consumed;
  private readonly settled;
  private readonly alarms;
  private readonly lag;
  private readonly deadLetters;
  private readonly buffered;
  private readonly labels = new Map<string, Attributes>();
  /** Of each instance that is measured. */
  private readonly declaredTopics = new Set<Measured['declaredTopic']>();

  constructor({ meter, hasLag }: { meter: Meter; hasLag: boolean }) {
    this.meter = meter;
    this.hasLag = hasLag;
    this.sendDuration = meter.createHistogram('messaging.client.operation.duration', {
      ...SECONDS,
      description: 'From a send to its confirm',
    });
    this.processDuration = meter.createHistogram('messaging.process.duration', {
      ...SECONDS,
      description: 'An attempt to handle a message, or a batch',
    });
    this.sent = meter.createCounter('messaging.client.sent.messages', { unit: '{message}' });
    this.consumed = meter.createCounter('messaging.client.consumed.messages', {
      unit: '{message}',
      description: 'Attempts that began',
    });
    this.settled = meter.createCounter('messaging.rivulet.settled', {
      unit: '{message}',
      description: 'What became of deliveries',
    });
    this.alarms = meter.createCounter('messaging.rivulet.alarms', {
      unit: '{event}',
      description: 'What somebody should look at',
    });
    this.lag = meter.createObservableGauge('messaging.rivulet.group.lag', {
      unit: '{message}',
      description: 'Published and not settled by the group',
    });
    this.deadLetters = meter.createObservableGauge('messaging.rivulet.group.dead_letters', {
      unit: '{message}',
      description: 'Dead letters that the group keeps',
    });
    this.buffered = meter.createObservableUpDownCounter('messaging.rivulet.producer.buffered', {
      unit: '{message}',
      description: 'Messages that wait for their confirm',
    });
  }

  async timedSend<R>(topic: string, run: () => Promise<R>): Promise<R> {
    const since = performance.now();
    const labels = { ...operation('send'), 'messaging.destination.name': topic };
    try {
      const result = await run();
      this.sendDuration.record(secondsSince(since), labels);
      return result;
    } catch (error) {
      this.sendDuration.record(secondsSince(since), { ...labels, 'error.type': errorType(error) });
      throw error;
    }
  }

  /** The returned function takes the error it ended with, if there was one. */
  handlingBegan({ message, group }: HandledFacts): (error: unknown) => void {
    const since = performance.now();
    return (error) => {
      const labels = { ...this.labelsOf(message.topic, group), ...operation('process') };
      if (error !== undefined) labels['error.type'] = errorType(error);
      this.processDuration.record(secondsSince(since), labels);
    };
  }

  measure({ events, lags, buffered, declaredTopic }: Measured): () => void {
    this.declaredTopics.add(declaredTopic);
    const stop = [
      events.on('published', ({ topic }) => this.sent.add(1, destination(topic))),
      events.on('publish-failed', ({ topic, error }) =>
        this.sent.add(1, { ...destination(topic), 'error.type': errorType(error) }),
      ),
      events.on('delivered', ({ topic, group }) =>
        this.consumed.add(1, this.labelsOf(topic, group)),
      ),
      ...OUTCOMES.map((name) =>
        events.on(name, ({ topic, group }) =>
          this.settled.add(1, {
            ...this.labelsOf(topic, group),
            'messaging.rivulet.outcome': name,
          }),
        ),
      ),
      ...ALARMS.map((name) =>
        events.on(name, (facts: RivuletEvents[typeof name]) => {
          const where = 'topic' in facts ? destination(facts.topic) : SYSTEM;
          this.alarms.add(1, { ...where, 'messaging.rivulet.alarm': name });
        }),
      ),
      this.observe(lags, buffered),
    ];
    return () => {
      stop.forEach((end) => end());
      this.declaredTopics.delete(declaredTopic);
      this.labels.clear();
    };
  }

  private observe(lags: Measured['lags'], buffered: Measured['buffered']): () => void {
    const read = async (result: BatchObservableResult): Promise<void> => {
      result.observe(this.buffered, buffered(), SYSTEM);
      if (!this.hasLag) return;
      // While the store is away there is nothing to tell; that it is, the events say.
      for (const { topic, group, lag, deadLetters } of await lags().catch(() => [])) {
        const labels = { ...destination(topic), 'messaging.consumer.group.name': group };
        if (lag !== null) result.observe(this.lag, lag, labels);
        result.observe(this.deadLetters, deadLetters, labels);
      }
    };
    const gauges = [this.buffered, this.lag, this.deadLetters];
    this.meter.addBatchObservableCallback(read, gauges);
    return () => this.meter.removeBatchObservableCallback(read, gauges);
  }

  /** By what the handler declared, so that a pattern of topics is one series and not one for each topic. */
  private labelsOf(topic: string, group: string): Attributes {
    const id = `${group} ${topic}`;
    const known = this.labels.get(id);
    if (known) return known;
    const declared = [...this.declaredTopics].map((of) => of(topic, group));
    const labels = {
      ...destination(declared.find((name) => name !== topic) ?? topic),
      'messaging.consumer.group.name': group,
    };
    // Topics may come and go for as long as the process runs.
    if (this.labels.size >= MOST_LABELS) this.labels.clear();
    this.labels.set(id, labels);
    return labels;
  }
}

function destination(topic: string): Attributes {
  return { ...SYSTEM, 'messaging.destination.name': topic };
}

function secondsSince(since: number): number {
  return (performance.now() - since) / 1_000;
}

/** As the conventions advise. */
function buckets(): number[] {
  return [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
}
