import { Rivulet } from '../../../lib/core/rivulet.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryStores } from '../../../lib/testing/memory-stores.js';

describe('connection events', () => {
  let stores: MemoryStores;
  let rivulet: Rivulet;
  let states: string[];
  beforeEach(() => {
    const clock = new ManualClock();
    stores = new MemoryStores({ clock });
    rivulet = new Rivulet({ stores, clock });
    states = [];
    rivulet.events.on('connection', ({ state }) => states.push(state));
  });
  afterEach(() => rivulet.stop());

  it('tell of the first connection', async () => {
    await rivulet.open();
    expect(states).toEqual(['ready']);
  });

  it('tell of a connection that is lost and restored', async () => {
    await rivulet.open();
    stores.goDown();
    stores.comeUp();
    expect(states).toEqual(['ready', 'lost', 'ready']);
  });

  it('do not call a connection lost that is closed on purpose', async () => {
    // As with Redis: the connection that is closed says that it is gone.
    const close = stores.close.bind(stores);
    stores.close = () => {
      stores.goDown();
      return close();
    };
    await rivulet.open();
    await rivulet.stop();
    expect(states).toEqual(['ready', 'closed']);
  });
});
