import { randomBytes } from 'node:crypto';

const MOST_KEYS = 256;

/**
 * Names of those who claim dedup records: no two attempts at one dedup key have the same, in whatever process. Attempts at
 * different keys may, and then a store that is asked for many of them at once has less to tell apart (decision 20).
 */
export class OwnerNames {
  private readonly prefix = randomBytes(6).toString('base64url');
  private count = 1;
  private name = `${this.prefix}.0`;
  private keys = new Set<string>();

  next(key: string): string {
    const { size } = this.keys;
    // Asked by its size whether the key is new: one look-up instead of two.
    if (size === MOST_KEYS || this.keys.add(key).size === size) {
      this.name = `${this.prefix}.${(this.count++).toString(36)}`;
      this.keys = new Set([key]);
    }
    return this.name;
  }
}
