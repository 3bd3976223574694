import { Events } from '../../../lib/core/runtime/events.js';

const FACTS = { topic: 'orders', queue: 0, count: 1 };

describe('Events', () => {
  let lines: string[];
  let events: Events;
  beforeEach(() => {
    lines = [];
    const note = (line: string): void => void lines.push(line);
    events = new Events({ logger: { error: note, warn: note, log: note, debug: note } });
  });

  it('tells every listener, in order, until it stops listening', () => {
    const heard: string[] = [];
    const off = events.on('released', () => heard.push('a'));
    events.on('released', () => heard.push('b'));
    events.emit('released', FACTS);
    off();
    events.emit('released', FACTS);
    expect(heard).toEqual(['a', 'b', 'b']);
  });

  it('knows whether anybody listens', () => {
    expect(events.heard('released')).toBe(false);
    const off = events.on('released', () => {});
    expect(events.heard('released')).toBe(true);
    off();
    expect(events.heard('released')).toBe(false);
  });

  it('resolves with the first event that matches', async () => {
    const next = events.next('released', ({ count }) => count === 2);
    events.emit('released', FACTS);
    events.emit('released', { ...FACTS, count: 2 });
    expect(await next).toEqual({ ...FACTS, count: 2 });
    expect(events.heard('released')).toBe(false);
  });

  it.each<[string, unknown]>([
    ['an error', new Error('mine')],
    ['undefined', undefined],
    ['what cannot become text', Object.create(null)],
  ])('reports a listener that throws %s, and tells the others', (_, thrown) => {
    let heard = 0;
    events.on('released', () => {
      throw thrown;
    });
    events.on('released', () => (heard += 1));
    events.emit('released', FACTS);
    expect(heard).toBe(1);
    expect(lines).toEqual([expect.stringContaining('A listener of "released"')]);
  });

  it('reports a listener that rejects', async () => {
    events.on('released', () => Promise.reject(new Error('later')) as never);
    events.emit('released', FACTS);
    await new Promise(setImmediate);
    expect(lines).toEqual([expect.stringContaining('later')]);
  });
});
