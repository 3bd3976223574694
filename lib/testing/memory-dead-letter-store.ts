import type { DeadLetterEntry, DeadLetterStore } from '../core/store/dead-letter-store.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import { compareOffsets } from '../core/message/offset.js';
import type { MemoryGate } from './memory-gate.js';
import { copyContent } from './memory-queue.js';
import type { MemoryState } from './memory-state.js';

export class MemoryDeadLetterStore implements DeadLetterStore {
  private readonly state: MemoryState;
  private readonly gate: MemoryGate;

  constructor(state: MemoryState, gate: MemoryGate) {
    this.state = state;
    this.gate = gate;
  }

  list(ref: GroupQueue, page: { after?: string; count: number }): Promise<DeadLetterEntry[]> {
    return this.gate.call(() =>
      this.letters(ref)
        .filter(({ id }) => page.after === undefined || compareOffsets(id, page.after) > 0)
        .slice(0, page.count)
        .map(copy),
    );
  }

  get(ref: GroupQueue, id: string): Promise<DeadLetterEntry | undefined> {
    return this.gate.call(() => {
      const found = this.letters(ref).find((letter) => letter.id === id);
      return found && copy(found);
    });
  }

  count(ref: GroupQueue): Promise<number> {
    return this.gate.call(() => this.letters(ref).length);
  }

  /** The bytes of another program are appended as they were, and so go to every group: they have no place for a name. */
  redrive(ref: GroupQueue, id: string): Promise<string | undefined> {
    return this.gate.call(() => {
      const letters = this.letters(ref);
      const at = letters.findIndex((letter) => letter.id === id);
      const content = letters[at]?.content;
      if (!content || content.kind === 'gone') return undefined;
      letters.splice(at, 1);
      const again = content.kind === 'message' ? { ...content, only: ref.group } : content;
      const offset = this.state.queue(ref)!.log.append(again, this.gate.clock.now());
      this.state.changed();
      return offset;
    });
  }

  remove(ref: GroupQueue, ids: readonly string[]): Promise<number> {
    return this.gate.call(() => {
      const letters = this.letters(ref);
      let removed = 0;
      for (const id of new Set(ids)) {
        const at = letters.findIndex((letter) => letter.id === id);
        if (at === -1) continue;
        letters.splice(at, 1);
        removed += 1;
      }
      return removed;
    });
  }

  private letters(ref: GroupQueue): DeadLetterEntry[] {
    return this.state.queue(ref)?.deadLettersOf(ref.group).letters ?? [];
  }
}

function copy(letter: DeadLetterEntry): DeadLetterEntry {
  return { ...letter, content: copyContent(letter.content) };
}
