import type { Clock } from '../../runtime/clock.js';
import type { Events } from '../../runtime/events.js';
import type { Logger } from '../../runtime/logger.js';
import type { GroupQueue } from '../../store/delivery-store.js';
import type { QueueGate } from '../../store/queue-lease-store.js';

/** What only an operator can change is said again so often. */
const REMIND_MS = 600_000;

/** Says why a queue that was added to its topic is not read yet: when the reason changes, and now and then. */
export class GateNotice {
  private readonly options: { ref: GroupQueue; clock: Clock; events: Events; logger: Logger };
  private told: string | undefined;
  private toldAt = 0;

  constructor(options: GateNotice['options']) {
    this.options = options;
  }

  tell(gate: QueueGate): void {
    const { ref, clock, events } = this.options;
    const reason = JSON.stringify(gate);
    const now = clock.monotonic();
    const isNew = reason !== this.told;
    if (!isNew && now - this.toldAt < REMIND_MS) return;
    if (isNew) events.emit('queue-gated', { ...ref, ...gate });
    this.warn(gate);
    this.told = reason;
    this.toldAt = now;
  }

  /** People hear only of what they, or time, can open. */
  private warn({ behind, waitsFor, messageGroups }: QueueGate): void {
    const { ref, logger } = this.options;
    const names = messageGroups.map((name) => JSON.stringify(name)).join(', ');
    const reasons: Partial<Record<QueueGate['waitsFor'], string>> = {
      parked: `message groups ${names} have parked lanes in queue ${behind}, where they were before the topic grew. See MessageAdmin.listParkedLanes, and resume them with resumeLane`,
      scheduled: `delayed messages wait in queue ${behind}, from before the topic grew. It is read once they became visible and were settled. See MessageAdmin.listScheduled; reschedule or cancelScheduled brings that forward`,
      half: `messages of a transaction that is not decided wait in queue ${behind}, from before the topic grew. See MessageAdmin.listHalves`,
    };
    const reason = reasons[waitsFor];
    if (reason !== undefined)
      logger.warn(`${ref.topic}/${ref.group}: queue ${ref.queue} is not read yet: ${reason}.`);
  }
}
