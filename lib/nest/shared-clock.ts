import { InvalidOptionsError } from '../core/message/errors.js';
import { systemClock } from '../core/runtime/clock.js';
import type { Stores } from '../core/store/stores.js';
import type { ModuleSettings } from './options.js';

/**
 * The settings, with the clock that the stores go by. What one of them takes for a minute would be nothing to the other:
 * a test that moves its clock would wait for a retry that never comes.
 *
 * @throws InvalidOptionsError when another clock was given.
 */
export function withClockOf(stores: Stores, given: ModuleSettings, where: string): ModuleSettings {
  const { clock } = stores;
  if (clock === undefined || clock === given.clock) return given;
  if (given.clock === systemClock) return { ...given, clock };
  throw new InvalidOptionsError(where, [
    'clock is not the one that the stores go by: give it to them (new MemoryStores({ clock })), and the module takes it from there',
  ]);
}
