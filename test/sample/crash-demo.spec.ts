import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

describe('npm run demo:crash', () => {
  it('loses no order and makes up none, whatever is killed', async () => {
    const { DATABASE_URL: _, ...env } = process.env;
    const run = promisify(execFile)('npm', ['run', '--silent', 'demo:crash'], { env });
    const lines = (await run).stdout.trim().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^1\. Another process .* delivered lamp-\w+ \d+ ms .*, once\.$/),
        expect.stringMatching(/^2\. .* no order, and nothing was delivered\.$/),
        expect.stringMatching(/^3\. Redis is back: all three are delivered, each once\.$/),
      ]),
    );
  }, 240_000);
});
