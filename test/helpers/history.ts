import { EventEmitter, once } from 'node:events';

export type Answer = 'confirmed' | 'failed' | 'unknown';

/** What happened to one message, or to everything (`broken`, `healed`); its place in the history is when it happened. */
export interface Happening {
  kind: 'sent' | Answer | 'handled' | 'settled' | 'broken' | 'healed';
  /** Monotonic, in ms. */
  atMs: number;
  key: string;
  /** Consumer group of what was handled or settled. */
  group: string;
  /** Messages of one lane are sent one after the other, with growing `seq`. */
  lane: string | undefined;
  seq: number;
}

/**
 * What a test saw happen to messages, in the order in which it saw it. What it means is said by `judge`.
 *
 * Nothing of it is kept where the faults are.
 */
export class History {
  readonly happenings: Happening[] = [];
  private readonly news = new EventEmitter();

  sent(key: string, place: { lane?: string; seq?: number } = {}): void {
    const { lane, seq = 0 } = place;
    this.note('sent', { key, lane, seq });
  }

  answered(key: string, answer: Answer): void {
    this.note(answer, { key });
  }

  handled(key: string, group = ''): void {
    this.note('handled', { key, group });
  }

  settled(key: string, group = ''): void {
    this.note('settled', { key, group });
  }

  /** A fault begins. */
  broken(): void {
    this.note('broken', {});
  }

  /** It is over: from here on the time counts until all is well again. */
  healed(): void {
    this.note('healed', {});
  }

  /**
   * What was confirmed within the last `ms` was not promised to survive what happens now: from here on it counts as
   * unknown. @returns the keys.
   */
  doubt(ms: number): string[] {
    const from = performance.now() - ms;
    const young = this.happenings.filter(({ kind, atMs }) => kind === 'confirmed' && atMs >= from);
    for (const one of young) one.kind = 'unknown';
    return young.map(({ key }) => key);
  }

  /** Resolves when the next thing happens. */
  async change(): Promise<void> {
    await once(this.news, 'change');
  }

  /** Resolves once `isSo`; asked again whenever something happens. */
  async when(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.change();
  }

  count(kind: Happening['kind'], group?: string): number {
    const matches = (one: Happening): boolean =>
      one.kind === kind && (group === undefined || one.group === group);
    return this.happenings.reduce((sum, one) => sum + (matches(one) ? 1 : 0), 0);
  }

  keys(kind: Happening['kind'], group?: string): Set<string> {
    const of = this.happenings.filter(
      (one) => one.kind === kind && (group === undefined || one.group === group),
    );
    return new Set(of.map(({ key }) => key));
  }

  private note(
    kind: Happening['kind'],
    facts: Partial<Pick<Happening, 'key' | 'group' | 'lane' | 'seq'>>,
  ): void {
    const nothing = { key: '', group: '', lane: undefined, seq: 0 };
    this.happenings.push({ ...nothing, ...facts, kind, atMs: performance.now() });
    this.news.emit('change');
  }
}
