import type { GroupQueue } from '../core/store/delivery-store.js';
import type { QueueRef } from '../core/store/refs.js';
import type { MemoryState, QueueState } from './memory-state.js';

/** What happens to a store behind the library's back: other programs, operators and disasters. */
export class Tampering {
  private readonly state: MemoryState;
  private readonly now: () => number;

  constructor(state: MemoryState, now: () => number) {
    this.state = state;
    this.now = now;
  }

  /** Another program appends an entry of its own. `fields`: names and values in turn. @returns its offset. */
  addForeign(ref: QueueRef, fields: readonly Buffer[]): string {
    const offset = this.queue(ref).log.append({ kind: 'foreign', fields }, this.now());
    this.state.changed();
    return offset;
  }

  /** A frame nobody checked: garbage, or of a newer wire version. @returns its offset. */
  addMessage(ref: QueueRef, frame: Buffer): string {
    const offset = this.queue(ref).log.append({ kind: 'message', frame, only: null }, this.now());
    this.state.changed();
    return offset;
  }

  /** An operator deletes an entry, whoever holds it. */
  deleteEntry(ref: QueueRef, offset: string): void {
    this.queue(ref).log.delete(offset);
  }

  /** The group is lost in this queue with everything it knew, except its dead letters. */
  dropGroup(ref: GroupQueue): void {
    this.queue(ref).groups.delete(ref.group);
    this.state.changed();
  }

  private queue(ref: QueueRef): QueueState {
    const queue = this.state.queue(ref);
    if (!queue)
      throw new Error(`There is no queue ${ref.queue} of topic "${ref.topic}" to tamper with`);
    return queue;
  }
}
