import { expect, it } from '@jest/globals';
import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

it('notes again what the agenda should know of topics in use, should the store have lost it', async () => {
  const clock = new ManualClock();
  const stores = new MemoryStores({ clock });
  const noted: string[] = [];
  const note = stores.agenda.note.bind(stores.agenda);
  stores.agenda.note = (work, at) => {
    noted.push(work);
    return note(work, at);
  };
  const rivulet = new Rivulet({ stores, clock });
  await rivulet.open();
  const sent = rivulet.producer.send('orders', 1);
  await clock.advance(50);
  await sent;

  noted.length = 0;
  await clock.advance(60_000);
  expect(noted).toEqual(expect.arrayContaining(['release/orders/0', 'release/orders/3']));
  const stopped = rivulet.stop();
  await clock.advance(1_000);
  await stopped;
});
