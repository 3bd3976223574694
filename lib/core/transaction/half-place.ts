import type { SharedAcks } from '../producer/wanted-acks.js';
import type { QueueRef } from '../store/refs.js';
import type { Listed } from './check-list.js';
import { type HalfOwner, ownerKey } from './half-owner.js';

/** Where the messages of one transaction for one queue go. */
export interface HalfPlace extends QueueRef {
  /** Of the topic, when the queue was chosen. */
  readonly generation: number;
  readonly owner: HalfOwner;
}

/** One object for each place in use, so that looking for its batch compares no text. */
export interface PlaceInUse extends Listed {
  readonly generation: number;
  /** What must be stored further than in memory has its own object, so that nothing else waits with it. */
  readonly need: Pick<SharedAcks, 'disk' | 'replicas'> | undefined;
}

/** The places where the halves of this process are. */
export class PlacesInUse {
  /** By owner and topic. An owner is one object for as long as its process lives. */
  private readonly queues = new WeakMap<HalfOwner, Map<string, PlaceInUse[]>>();
  /** By owner, and by topic, queue and what is needed. */
  private readonly acked = new WeakMap<HalfOwner, Map<string, PlaceInUse>>();

  /** The same object for the same place, as long as its topic does not change. */
  of(place: HalfPlace, acks?: SharedAcks): PlaceInUse {
    if (acks) return this.ackedAt(place, acks);
    const { topic, queue, generation, owner } = place;
    let topics = this.queues.get(owner);
    if (!topics) this.queues.set(owner, (topics = new Map()));
    let queues = topics.get(topic);
    if (!queues) topics.set(topic, (queues = []));
    const known = queues[queue];
    if (known?.generation === generation) return known;
    return (queues[queue] = placeFor(place, undefined));
  }

  private ackedAt(place: HalfPlace, { disk, replicas }: SharedAcks): PlaceInUse {
    let known = this.acked.get(place.owner);
    if (!known) this.acked.set(place.owner, (known = new Map()));
    const name = `${place.topic}/${place.queue}/${disk}/${replicas}`;
    const queue = known.get(name);
    if (queue?.generation === place.generation) return queue;
    const made = placeFor(place, { disk, replicas });
    known.set(name, made);
    return made;
  }
}

function placeFor(
  { topic, queue, generation, owner }: HalfPlace,
  need: PlaceInUse['need'],
): PlaceInUse {
  return { topic, queue, generation, owner: ownerKey(owner), whose: owner, need };
}
