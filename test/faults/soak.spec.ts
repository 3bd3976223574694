import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tellFigures } from '../helpers/figures.js';

const SECONDS = process.env['RIVULET_SOAK_SECONDS'] ?? '5';

it('leaves nothing behind after mixed load under faults: no message, no key, no timer', async () => {
  const soak = spawn('node', ['tools/soak.mjs', '--seconds', SECONDS], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  soak.stdout.on('data', (chunk) => (printed += chunk));
  const [code] = await once(soak, 'close');
  const line = /^sent: (.*)$/m.exec(printed)?.[1] ?? '';
  const figures = [...line.matchAll(/([\w-]+)=(\d+)/g)].map(([, name, n]) => [
    name!.toLowerCase(),
    Number(n),
  ]);
  tellFigures('soak', { seconds: SECONDS, ...Object.fromEntries(figures) });
  expect({ code, problems: printed.match(/^PROBLEM .*$/gm) }).toEqual({ code: 0, problems: null });
  expect(Object.fromEntries(figures)).toMatchObject({ lost: 0, ghosts: 0, reordered: 0 });
}, 1_200_000);
