// How much is measured. A ratio means the same at both; at `quick` it scatters more.
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const scales = {
  full: {
    rounds: 5,
    // What a process does for long is compiled: ours took a hundred thousand sends until then, the raw floor fewer.
    send: { warmUp: 150_000, messages: 100_000, inFlight: 200 },
    cluster: { warmUp: 100_000, messages: 100_000, inFlight: 600 },
    bullmqSend: { warmUp: 20_000, messages: 100_000, inFlight: 200 },
    consume: { warmUp: 100_000, messages: 100_000, concurrency: 100 },
    bullmqConsume: { warmUp: 20_000, messages: 100_000, concurrency: 100 },
    ordered: { warmUp: 50_000, messages: 100_000, concurrency: 100, messageGroups: 1_000 },
    besideFailing: { messages: 100_000, concurrency: 100, turns: 2 },
    idempotent: { warmUp: 50_000, messages: 100_000, concurrency: 100 },
    transactional: { warmUp: 50_000, messages: 100_000, inFlight: 200 },
    request: { warmUp: 60_000, messages: 50_000, inFlight: 100 },
    handover: { warmUp: 100, messages: 2_000, perSecond: 50 },
    lateness: { messages: 100_000, firstDueInMs: 10_000, spreadMs: MINUTE },
    idle: { messages: 100_000, firstDueInMs: HOUR, spreadMs: MINUTE, windowMs: MINUTE },
    backlog: { few: 10_000, many: 1_000_000, slices: 10, sliceMessages: 10_000, concurrency: 100 },
    // Each queue was used, by a batch of 100: a session begins with the first call.
    topics: { few: 10, many: 1_000, warmUp: 400_000, messages: 400_000, concurrency: 100 },
    memory: { messages: 100_000 },
    alone: { warmUp: 3_000, transactions: 5_000, inFlight: 1, pollMs: 100 },
    together: { warmUp: 10_000, transactions: 20_000, inFlight: 16, pollMs: 100 },
    crash: { crashes: 20 },
  },
  quick: {
    rounds: 3,
    // Warm-ups are long for ours and the raw floor alike; BullMQ consumes as fast after 3 000 jobs as after 20 000 (decision 14).
    send: { warmUp: 150_000, messages: 50_000, inFlight: 200 },
    cluster: { warmUp: 50_000, messages: 50_000, inFlight: 600 },
    bullmqSend: { warmUp: 20_000, messages: 10_000, inFlight: 200 },
    consume: { warmUp: 80_000, messages: 50_000, concurrency: 100 },
    bullmqConsume: { warmUp: 3_000, messages: 10_000, concurrency: 100 },
    ordered: { warmUp: 10_000, messages: 20_000, concurrency: 100, messageGroups: 1_000 },
    besideFailing: { messages: 20_000, concurrency: 100, turns: 1 },
    idempotent: { warmUp: 20_000, messages: 20_000, concurrency: 100 },
    transactional: { warmUp: 20_000, messages: 20_000, inFlight: 200 },
    request: { warmUp: 40_000, messages: 10_000, inFlight: 100 },
    handover: { warmUp: 10, messages: 75, perSecond: 50 },
    lateness: { messages: 10_000, firstDueInMs: 1_200, spreadMs: MINUTE / 20 },
    idle: { messages: 10_000, firstDueInMs: HOUR, spreadMs: MINUTE, windowMs: 1_500 },
    backlog: { few: 10_000, many: 100_000, slices: 3, sliceMessages: 10_000, concurrency: 100 },
    topics: { few: 10, many: 100, warmUp: 60_000, messages: 40_000, concurrency: 100 },
    memory: { messages: 50_000 },
    alone: { warmUp: 500, transactions: 1_000, inFlight: 1, pollMs: 100 },
    together: { warmUp: 2_000, transactions: 5_000, inFlight: 16, pollMs: 100 },
    crash: { crashes: 3 },
  },
};
