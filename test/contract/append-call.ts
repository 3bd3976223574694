import type { AppendCall, AppendEntry, AppendReply } from '../../lib/core/store/message-log.js';
import type { Stores } from '../../lib/core/store/stores.js';
import { entryOf, generationOf, QUEUE } from './messages.js';

export interface Numbers {
  session?: string;
  epoch?: number;
  number: number;
  queue?: number;
  /** That of the topic, unless said otherwise. */
  generation?: number;
}

export type Call = Omit<AppendCall, 'generation'> & { generation?: number };

/** A call of session `p` in epoch 1, unless said otherwise. */
export function callOf(numbers: Numbers, entries: readonly (AppendEntry | string)[]): Call {
  return {
    ...QUEUE,
    session: 'p',
    epoch: 1,
    ...numbers,
    entries: entries.map((entry) => (typeof entry === 'string' ? entryOf(entry) : entry)),
  };
}

export async function appendCall(stores: Stores, call: Call): Promise<AppendReply> {
  const generation = call.generation ?? (await generationOf(stores, call.topic));
  return stores.log.append({ ...call, generation });
}
