/**
 * What is under way, oldest first, where much comes and goes. A list that lets go of what leaves it: a Set would keep
 * everything that ever was in it from being collected for a while (decision 13).
 */
export class UnderWay<T> implements Iterable<T> {
  private oldest: Place<T> | undefined;
  private newest: Place<T> | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The returned function takes it out, once; `false` when it was out already. */
  add(item: T): () => boolean {
    const place = new Place(item, this.newest);
    if (this.newest) this.newest.newer = place;
    else this.oldest = place;
    this.newest = place;
    this.count += 1;
    return () => this.remove(place);
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (let place = this.oldest; place;) {
      // It may be taken out meanwhile.
      const { item, newer } = place;
      yield item;
      place = newer;
    }
  }

  private remove(place: Place<T>): boolean {
    if (place.isOut) return false;
    place.isOut = true;
    const { older, newer } = place;
    if (older) older.newer = newer;
    else this.oldest = newer;
    if (newer) newer.older = older;
    else this.newest = older;
    place.older = undefined;
    place.newer = undefined;
    this.count -= 1;
    return true;
  }
}

class Place<T> {
  readonly item: T;
  older: Place<T> | undefined;
  newer: Place<T> | undefined = undefined;
  isOut = false;

  constructor(item: T, older: Place<T> | undefined) {
    this.item = item;
    this.older = older;
  }
}
