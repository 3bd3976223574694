import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { readPage, ROOT } from './pages.js';

const SAMPLES = readdirSync(join(ROOT, 'sample')).filter((name) => /^\d\d-/.test(name));
const MOST_LINES = 60;

/** Runs it here, and answers what it prints. It must end by itself. */
async function run(name: string): Promise<string> {
  const lines: string[] = [];
  const log = jest.spyOn(console, 'log').mockImplementation((...args: unknown[]) => {
    lines.push(format(...args));
  });
  try {
    await import(join(ROOT, 'sample', name, 'main.ts'));
  } finally {
    log.mockRestore();
  }
  return lines.map((line) => `${line}\n`).join('');
}

describe.each(SAMPLES)('sample %s', (name) => {
  const file = (path: string): string => readFileSync(join(ROOT, 'sample', name, path), 'utf8');
  let redis: TestRedis;
  let before: string | undefined;
  beforeAll(async () => {
    redis = await startRedis();
    before = process.env['REDIS_URL'];
    process.env['REDIS_URL'] = redis.url;
  });
  afterAll(async () => {
    if (before === undefined) delete process.env['REDIS_URL'];
    else process.env['REDIS_URL'] = before;
    await redis.stop();
  });

  it('prints what it says it prints', async () => {
    expect(await run(name)).toBe(file('output.txt'));
  });

  it('fits on a screen, and is listed', () => {
    expect(file('main.ts').trimEnd().split('\n').length).toBeLessThan(MOST_LINES);
    expect(readPage('sample/README.md')).toContain(`(${name})`);
  });
});

it('lists no sample that is not there', () => {
  const listed = [...readPage('sample/README.md').matchAll(/\]\((\d\d-[^)]+)\)/g)];
  expect(listed.filter(([, name]) => !existsSync(join(ROOT, 'sample', name!)))).toEqual([]);
});
