import { selectQueue } from '../core/producer/queue-selector.js';
import type { DedupRef } from '../core/store/dedup-store.js';
import type { GroupQueue } from '../core/store/delivery-store.js';
import type { QueueRef } from '../core/store/refs.js';

/** Enough to spread over a cluster, few enough that records of one turn share calls there. */
const DEDUP_SLOTS = 64;

/**
 * Every key, and nowhere else. All begin `{<namespace>:`, so that one ACL pattern covers them; what stands in
 * braces decides the cluster slot, so that a queue is the unit of order and of atomicity.
 */
export class Keys {
  private readonly namespace: string;

  constructor(options: { namespace: string }) {
    this.namespace = options.namespace;
  }

  /** SET  names of the topics that exist. */
  get topics(): string {
    return `${this.shared}:topics`;
  }

  /** HASH  topic whose queues have become more → how many they are. */
  get grown(): string {
    return `${this.shared}:grown`;
  }

  /** HASH  consumer group and pattern of topics → when it was first noted (Unix ms). */
  get patterns(): string {
    return `${this.shared}:patterns`;
  }

  /** HASH  name of a recurring send → its next time (Unix ms), a space, its definition. */
  get recurring(): string {
    return `${this.shared}:recurring`;
  }

  /** HASH  consumer group and topic that are paused in every process → since when (Unix ms). */
  get paused(): string {
    return `${this.shared}:paused`;
  }

  /** ZSET  member by the time of its last beat (Unix ms). */
  get members(): string {
    return `${this.shared}:members`;
  }

  get agenda(): AgendaKeys {
    const agenda = `${this.shared}:agenda`;
    return { agenda, versions: `${agenda}:versions`, counter: `${agenda}:counter` };
  }

  /** Which queues may hold halves, for those who can answer for them. */
  halfAgenda(board: string): AgendaKeys {
    const agenda = `${this.shared}:checks:${encode(board)}`;
    return {
      /** ZSET  queue that may hold halves, by when to look there (Unix ms). */
      agenda,
      /** HASH  queue → number of its latest note. */
      versions: `${agenda}:versions`,
      /** STRING  the last number given to a note. */
      counter: `${agenda}:counter`,
    };
  }

  topic(topic: string): TopicKeys {
    const tag = `{${this.namespace}:${topic}}`;
    return { meta: `${tag}:meta`, groups: `${tag}:groups` };
  }

  /** STRING  generation of the last life of a topic that was deleted. Expires. */
  deleted(topic: string): string {
    return `{${this.namespace}:${topic}}:deleted`;
  }

  /** HASH  consumer group → when it last had a member (Unix ms). */
  seen(topic: string): string {
    return `{${this.namespace}:${topic}}:seen`;
  }

  queue(ref: QueueRef): QueueKeys {
    return new QueueKeys(this.tag(ref));
  }

  halfQueue(ref: QueueRef & { owner: string; minute?: number }): HalfQueueKeys {
    return new HalfQueueKeys(this.tag(ref), ref);
  }

  groupQueue(ref: GroupQueue): GroupQueueKeys {
    return new GroupQueueKeys(this.tag(ref), ref.group);
  }

  /** ZSET  processes that consume a topic in an ordered group, by the time of their last beat (Unix ms). */
  roster({ topic, group }: { topic: string; group: string }): string {
    return `{${this.namespace}:${topic}}:g:${encode(group)}:members`;
  }

  /** STRING  tokens that are left to a subscription with a rate limit, a space, when that was (Unix ms). Expires when it is full. */
  rate({ topic, group }: { topic: string; group: string }): string {
    return `{${this.namespace}:${topic}}:g:${encode(group)}:rate`;
  }

  /** STRING  lines of who holds permits for one key of a subscription, and of who waits for one. Expires. */
  permits({ topic, group }: { topic: string; group: string }, key: string): string {
    return `{${this.namespace}:${topic}}:g:${encode(group)}:permits:${encode(key)}`;
  }

  inbox(address: string): InboxKeys {
    const tag = `{${this.namespace}:reply:${address}}`;
    return { inbox: `${tag}:inbox`, room: `${tag}:room` };
  }

  /** STRING  whether the group has handled, or is handling, the message with this dedup key. Expires. */
  dedupRecord({ topic, group, key }: DedupRef): string {
    return `${this.dedupTag(key)}:r:${topic}:${encode(group)}:${encode(key)}`;
  }

  /** HASH  the same of messages with ids of one moment: the rest of each id → its record. Expires after all of them. */
  dedupRecords({ topic, group }: Pick<DedupRef, 'topic' | 'group'>, moment: string): string {
    return `${this.dedupTag(moment)}:m:${topic}:${encode(group)}:${moment}`;
  }

  private dedupTag(text: string): string {
    return `{${this.namespace}:dedup:${selectQueue(text, DEDUP_SLOTS)}}`;
  }

  private get shared(): string {
    return `{${this.namespace}:}`;
  }

  private tag(ref: QueueRef): string {
    return `{${this.namespace}:${ref.topic}:${ref.queue}}`;
  }
}

export interface InboxKeys {
  /** STREAM  packets for one requester: `p` packets. Expires when nobody reads it. */
  readonly inbox: string;
  /** HASH  bytes of large entries that nobody has read, and how many there may be. Expires with the inbox. */
  readonly room: string;
}

export interface AgendaKeys {
  /** ZSET  work by the time it is due (Unix ms). */
  readonly agenda: string;
  /** HASH  work → number of its latest note. */
  readonly versions: string;
  /** STRING  the last number given to a note. It never goes back, so that a version means one note for ever. */
  readonly counter: string;
}

export interface TopicKeys {
  /** HASH  settings, generation, version of the settings; `removing` while it is being deleted, `grewFrom` while it grows. */
  readonly meta: string;
  /** HASH  consumer group → mode and filter digest. */
  readonly groups: string;
}

/** Keys of one queue: one hash tag, so that a script may touch them together. */
export class QueueKeys {
  protected readonly tag: string;

  constructor(tag: string) {
    this.tag = tag;
  }

  /** HASH  generation, settings, `start:<group>` where a group first began, `lost:<group>` and `unnoted` of a loss, `owner:<owner>`, `reserved` and `~clock` of halves, `parent` and `seal:<generation>` of growths. */
  get meta(): string {
    return `${this.tag}:meta`;
  }

  /** STREAM  visible messages: `rv` frame; `o` the only group a redriven one is for. */
  get log(): string {
    return `${this.tag}:log`;
  }

  /** HASH  producer session → epoch, last number, last use, since when and where it is known, remembered replies. Swept after 24 h. */
  get sessions(): string {
    return `${this.tag}:seq`;
  }

  /** HASH  message id (16 bytes) → frame of a message that is not visible yet. */
  get scheduled(): string {
    return `${this.tag}:scheduled`;
  }

  /** ZSET  message id (16 bytes) by when it becomes visible (Unix ms). */
  get due(): string {
    return `${this.tag}:due`;
  }

  /** HASH  offset of a redriven message → the group it is for. */
  get only(): string {
    return `${this.tag}:only`;
  }

  /** HASH  transaction id (16 bytes) → facts and frames of its messages here, while it is not decided. */
  get half(): string {
    return `${this.tag}:half`;
  }

  /** ZSET  transaction id (16 bytes) by when its half was parked (Unix ms). */
  get parkedHalves(): string {
    return `${this.tag}:half:parked`;
  }

  /** STRING  nothing: a write, to see how long it takes to be on disk, or for WAIT to speak of. Expires after a minute. */
  get probe(): string {
    return `${this.tag}:probe`;
  }

  /** SET  ids of scheduled messages and halves that are older than the last generation of the topic. */
  get before(): string {
    return `${this.tag}:before`;
  }

  /** STRING  the message that had this dedup id first. Expires with the dedup window. */
  dedup(dedupId: string): string {
    return `${this.tag}:dedup:${encode(dedupId)}`;
  }
}

/** Keys of one queue for the halves of one owner. */
export class HalfQueueKeys extends QueueKeys {
  private readonly owner: string;
  /** In which transactions began. One `done` for all would stop the server for a moment when it expires. */
  private readonly minute: number;

  /** `minute`: of the transactions in question. Not needed for `half`, `checks` and `parkedHalves`. */
  constructor(tag: string, { owner, minute = 0 }: { owner: string; minute?: number }) {
    super(tag);
    this.owner = encode(owner);
    this.minute = minute;
  }

  /** ZSET  transaction id (16 bytes) by when its owner is asked about it (Unix ms). */
  get checks(): string {
    return `${this.tag}:checks:${this.owner}`;
  }

  /** HASH  transaction id (16 bytes) → what became of it. Expires 24 h after the last one. */
  get done(): string {
    return `${this.tag}:done:${this.minute}`;
  }

  /** HASH  id of messages that moved (16 bytes) → generation and queues by which they are placed. Expires likewise. */
  get placed(): string {
    return `${this.tag}:placed:${this.minute}`;
  }
}

/** Keys of one queue as seen by one consumer group. */
export class GroupQueueKeys extends QueueKeys {
  private readonly group: string;

  constructor(tag: string, group: string) {
    super(tag);
    this.group = encode(group);
  }

  /** ZSET  offset of a delivery that waits for its next attempt, by when it is visible (Unix ms). */
  get retry(): string {
    return `${this.tag}:g:${this.group}:retry`;
  }

  /** ZSET  likewise, of deliveries that were in hand when a consumer died. */
  get suspects(): string {
    return `${this.tag}:g:${this.group}:suspects`;
  }

  /** HASH  offset → `starts:cuts:solo:history` of every unsettled delivery that is not in its first hand. */
  get attempts(): string {
    return `${this.tag}:g:${this.group}:attempts`;
  }

  /** STREAM  dead letters: `n` note, `f` offset, then the fields of the message. */
  get dead(): string {
    return `${this.tag}:g:${this.group}:dead`;
  }

  /** HASH  the owner of the queue in an ordered group, and what it must know; never expires. */
  get lease(): string {
    return `${this.tag}:g:${this.group}:lease`;
  }

  /** STREAM  nothing; there only within a transaction, whose read is refused without it. */
  get door(): string {
    return `${this.tag}:g:${this.group}:door`;
  }

  /** HASH  lane → its head, once that was started: `offset:starts:cuts:alone:token:at:ms:history`. */
  get lanes(): string {
    return `${this.tag}:g:${this.group}:lanes`;
  }

  /** HASH  lane that holds messages → `state:offset of the first:messages:since`. */
  get hold(): string {
    return `${this.tag}:g:${this.group}:hold`;
  }

  /** HASH  parked lane → why, and the history of its head. */
  get parked(): string {
    return `${this.tag}:g:${this.group}:parked`;
  }

  /** LIST  what one lane holds: `offset`, a space, the fields of the message, packed. */
  held(lane: string): string {
    return `${this.tag}:g:${this.group}:held:${encode(lane)}`;
  }
}

/** What percent-encoding leaves as it is: nearly every name and id. */
const PLAIN = /^[A-Za-z0-9_.~-]*$/;

/** Lone surrogates, which cannot be encoded, become U+FFFD first. */
function encode(text: string): string {
  if (PLAIN.test(text)) return text;
  return encodeURIComponent(Buffer.from(text, 'utf8').toString('utf8'));
}
