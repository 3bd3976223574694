import { Injectable } from '@nestjs/common';

export class CardBlockedError extends Error {}

/** A bank as one meets it: mostly fine, sometimes not there, sometimes final. */
@Injectable()
export class Bank {
  private readonly blocked = new Set(['blocked-card']);
  private silentFor = new Map([['slow-card', 2]]);

  async charge(card: string, _cents: number): Promise<void> {
    if (this.blocked.has(card)) throw new CardBlockedError(`${card} is blocked`);
    const silent = this.silentFor.get(card) ?? 0;
    this.silentFor.set(card, silent - 1);
    if (silent > 0) throw new Error('the bank does not answer');
  }

  unblock(card: string): boolean {
    return this.blocked.delete(card);
  }
}
