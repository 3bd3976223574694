import { type Health, healthOf } from '../inspect/health.js';
import type { Rivulet } from '../core/rivulet.js';

/** As `@nestjs/terminus` takes it. */
export type HealthCheckResult<Key extends string> = Record<
  Key,
  { status: 'up' | 'down' } & Omit<Health, 'status'>
>;

/**
 * For a health endpoint: `health.check([() => rivuletHealth.check('mq')])` of `@nestjs/terminus`, or without it.
 *
 * Up also when something is worth a look; `store.problems` says what. Down: the store does not answer, refuses sends, or
 * may lose messages without a word. Never rejects, and takes no longer than `timeoutMs` (default 2 000).
 */
export class RivuletHealth {
  private readonly rivulet: Rivulet;

  constructor(options: { rivulet: Rivulet }) {
    this.rivulet = options.rivulet;
  }

  async check<Key extends string = 'rivulet'>(
    key: Key = 'rivulet' as Key,
    options: { timeoutMs?: number } = {},
  ): Promise<HealthCheckResult<Key>> {
    const { status, ...facts } = await healthOf(this.rivulet, options);
    return {
      [key]: { status: status === 'down' ? 'down' : 'up', ...facts },
    } as HealthCheckResult<Key>;
  }
}
