import { Injectable } from '@nestjs/common';
import { type DeliveryFacts, Events } from 'nestjs-rivulet';
import { formatStep, type Step } from './format-step.js';

type Heard = Omit<Step, 'at'> & { order: string };

/** Listens to what happens to messages, prints it, and remembers it by the key of the message: the order. */
@Injectable()
export class JourneyService {
  private readonly journeys = new Map<string, Step[]>();
  private heard: Heard[] = [];

  constructor(events: Events) {
    events.on('published', ({ key, topic, state, queue }) =>
      this.hear(key, { what: 'published', topic, group: '', detail: `${state} in queue ${queue}` }),
    );
    events.on('delivered', (facts) => this.hearDelivery(facts, 'delivered'));
    events.on('acked', (facts) => this.hearDelivery(facts, 'acked'));
    events.on('retried', (facts) =>
      this.hearDelivery(facts, 'retried', `${facts.error}; again in ${facts.delayMs} ms`),
    );
    events.on('dead-lettered', (facts) => this.hearDelivery(facts, 'dead-lettered', facts.reason));
    events.on('checked', ({ transactionId: id, resolution }) =>
      console.log(`Transaction ${id} was left undecided; its database says: ${resolution}`),
    );
    events.on('outbox-kept', ({ transactionId: id }) =>
      console.log(`Redis is away: the messages of transaction ${id} wait in the database`),
    );
    events.on('connection', ({ state }) => console.log(`Redis connection ${state}`));
  }

  all(): Record<string, readonly Step[]> {
    return Object.fromEntries(this.journeys);
  }

  of(order: string): readonly Step[] {
    return this.journeys.get(order) ?? [];
  }

  private hearDelivery(facts: DeliveryFacts, what: string, why?: string): void {
    const { key, topic, group, attempt } = facts;
    this.hear(key, { what, topic, group, detail: `attempt ${attempt}${why ? `: ${why}` : ''}` });
  }

  private hear(order: string | undefined, step: Omit<Heard, 'order'>): void {
    // Only messages of orders carry a key: price quotes do not.
    if (order === undefined) return;
    this.heard.push({ order, ...step });
    if (this.heard.length === 1) setImmediate(() => this.tell());
  }

  /** A group may have a message before its publisher has the confirm; of one moment, the publish is told first. */
  private tell(): void {
    const at = new Date().toISOString();
    const isPublish = ({ what }: Heard): number => Number(what === 'published');
    const inOrder = this.heard.sort((a, b) => isPublish(b) - isPublish(a));
    this.heard = [];
    for (const { order, ...step } of inOrder) {
      const told = { at, ...step };
      this.journeys.set(order, [...this.of(order), told]);
      console.log(formatStep(order, told));
    }
  }
}
