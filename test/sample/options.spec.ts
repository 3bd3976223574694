import { settingsFrom } from '../../lib/core/settings.js';
import { moduleSettings } from '../../lib/nest/options.js';
import { MemoryStores } from '../../lib/testing/memory-stores.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { readPage } from './pages.js';

/** As the page writes it: 10_000, 'wait', null. */
function written(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US').replaceAll(',', '_');
  if (typeof value === 'string') return `'${value}'`;
  return Array.isArray(value) ? '[]' : String(value);
}

/** Names of options and their defaults, by the table rows that have code for both. */
function documented(): Map<string, string> {
  const rows = readPage('docs/options.md').matchAll(/^\| `([\w.]+)` \| `([^`]+)` \|/gm);
  return new Map([...rows].map(([, name, value]) => [name!, value!]));
}

describe('The page of options', () => {
  const { codec: _json, codecs: _none, ...settings } = settingsFrom({});

  it('has every setting with its default', () => {
    const expected = Object.entries(settings).flatMap(([name, value]) =>
      typeof value === 'object'
        ? Object.entries(value).map(([inner, own]) => [`${name}.${inner}`, written(own)])
        : [[name, written(value)]],
    );
    const page = documented();
    expect(expected.map(([name]) => [name, page.get(name!)])).toEqual(expected);
  });

  it('has what the module adds', () => {
    const stores = new MemoryStores({ clock: new ManualClock() });
    const module = moduleSettings({ stores }, 'here');
    const { namespace, allowEviction, consume, connectOnBoot, connectTimeoutMs } = module;
    const expected = { namespace, allowEviction, consume, connectOnBoot, connectTimeoutMs };
    const page = documented();
    for (const [name, value] of Object.entries(expected))
      expect([name, page.get(name)]).toEqual([name, written(value)]);
  });
});
