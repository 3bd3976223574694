/** What belongs into one call: as much as is worth it, and no more than a server should be kept busy with. */
const MOST_ITEMS = 500;
const MOST_BYTES = 1024 * 1024;

interface Asked<Item, Reply> {
  item: Item;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

interface Batch<Place, Item, Reply> {
  place: Place;
  asked: Asked<Item, Reply>[];
  bytes: number;
}

/** What is asked about one place within one turn of the event loop goes there in one call, in the order it was asked. */
export class TurnBatch<Place, Item, Reply> {
  private readonly call: (place: Place, items: readonly Item[]) => Promise<readonly Reply[]>;
  private batches = new Map<string, Batch<Place, Item, Reply>>();

  constructor(call: (place: Place, items: readonly Item[]) => Promise<readonly Reply[]>) {
    this.call = call;
  }

  /** `key`: the same for the same place. Rejects as the call does, together with the others of it. */
  ask(key: string, place: Place, item: Item, bytes: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const batch = this.batchFor(key, place);
      batch.asked.push({ item, resolve, reject });
      batch.bytes += bytes;
      if (batch.asked.length < MOST_ITEMS && batch.bytes < MOST_BYTES) return;
      this.batches.delete(key);
      this.send(batch);
    });
  }

  private batchFor(key: string, place: Place): Batch<Place, Item, Reply> {
    const open = this.batches.get(key);
    if (open) return open;
    // After all I/O callbacks and promises of this turn: whatever they ask is in the same call.
    if (this.batches.size === 0) setImmediate(() => this.flush());
    const batch = { place, asked: [], bytes: 0 };
    this.batches.set(key, batch);
    return batch;
  }

  private flush(): void {
    const batches = this.batches;
    this.batches = new Map();
    for (const batch of batches.values()) this.send(batch);
  }

  private send({ place, asked }: Batch<Place, Item, Reply>): void {
    this.call(
      place,
      asked.map(({ item }) => item),
    ).then(
      (replies) => asked.forEach(({ resolve }, i) => resolve(replies[i]!)),
      (error: unknown) => {
        for (const { reject } of asked) reject(error);
      },
    );
  }
}
