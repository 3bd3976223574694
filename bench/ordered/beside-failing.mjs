// What healthy message groups get beside a hundredth that fails: one backlog, read in turns by groups in which nothing
// fails and by groups in which it does. The same messages are counted. In one process, so that both meet the same
// compiled code, and turn by turn, so that what the machine does meanwhile falls on both.
import { inParallel, settleDown } from '../clock.mjs';
import { bodyAt } from '../bodies.mjs';
import { MessageProducer } from '../../dist/index.js';
import { openApp, subscriber, TOPIC } from '../rivulet.mjs';
import { Meter } from '../consume/meter.mjs';

/** So many message groups, for each of which there is a body that names it. */
const GROUPS = 1_000;
const ONE_IN = 100;

export default async function besideFailing({ messages, concurrency, turns }) {
  await load(messages);
  const rates = { healthy: [], beside: [] };
  const job = { messages, concurrency };
  // What runs is compiled by then.
  await consume({ ...job, group: 'warm-up', fails: true });
  for (let turn = 0; turn < turns; turn++)
    for (const side of turn % 2 === 0 ? ['healthy', 'beside'] : ['beside', 'healthy'])
      rates[side].push(
        await consume({ ...job, group: `${side}${turn}`, fails: side === 'beside' }),
      );
  const [beside, healthy] = [rates.beside, rates.healthy].map(overall);
  return { beside, healthy, ratio: beside / healthy };
}

async function load(messages) {
  const app = await openApp();
  const producer = app.get(MessageProducer);
  await inParallel({ count: messages, inFlight: 1_000 }, (i) =>
    producer.send(TOPIC, bodyAt(i), { messageGroup: `group-${i % GROUPS}` }),
  );
  await app.close();
}

/** Healthy messages a second, from the first one on. */
async function consume({ group, messages, concurrency, fails }) {
  await settleDown();
  const meter = new Meter({ warmUp: 1, messages: messages - messages / ONE_IN - 1 });
  const handle = ({ orderId }) => {
    if (!orderId.endsWith('00')) return meter.tick();
    if (fails) throw new Error('its group fails');
  };
  const Consumer = subscriber([TOPIC], { concurrency, ordered: true }, handle);
  // Without a line for each failure.
  const app = await openApp({ group, providers: [Consumer] }, { logger: ['error'] });
  const { perSecond } = await meter.finished;
  await app.close();
  return perSecond;
}

/** Of turns with the same work. */
const overall = (rates) => rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0);
