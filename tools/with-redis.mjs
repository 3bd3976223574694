#!/usr/bin/env node
// Runs a command with REDIS_URL pointing to a usable Redis:
//   node tools/with-redis.mjs [--persistence none|aof-everysec|aof-always] [--] <command> [args...]
// Without a command it prints the URL and waits.
// Order: REDIS_URL; a server of our own from this machine or its package manager (redis/find.mjs); docker.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import { hasDocker, startRedisInDocker } from './redis/docker.mjs';
import { findRedis } from './redis/find.mjs';
import { say } from './redis/say.mjs';
import { PERSISTENCE, startRedis } from './redis/server.mjs';

export { findRedis, startRedis };

export const HOW_TO_INSTALL =
  process.platform === 'darwin'
    ? 'brew install valkey'
    : 'install redis-server 7 or later, or valkey-server 8 or later';

async function provideRedis(persistence) {
  if (process.env.REDIS_URL) {
    say('using REDIS_URL');
    return { url: process.env.REDIS_URL, stop: async () => {} };
  }
  const binary = findRedis();
  if (binary) {
    const server = await startRedis(binary, { persistence });
    say(`${binary.version} (${binary.bin}) at ${server.url}, persistence ${persistence}`);
    return server;
  }
  if (hasDocker()) {
    const server = await startRedisInDocker(PERSISTENCE[persistence]);
    say(`docker at ${server.url}, persistence ${persistence}`);
    return server;
  }
  throw new Error(`No Redis found. Set REDIS_URL, or ${HOW_TO_INSTALL}.`);
}

/** Resolves to the command's exit code; to that of a shell when a signal ended it (130: Ctrl+C). */
async function run([command, ...args], url) {
  const child = spawn(command, args, {
    stdio: 'inherit',
    env: { ...process.env, REDIS_URL: url },
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // Ctrl+C reaches the whole terminal group: the command has had it already.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  const [code, signal] = await once(child, 'exit');
  return code ?? 128 + constants.signals[signal];
}

async function untilInterrupted() {
  const keepAlive = setInterval(() => {}, 60_000); // signal listeners alone do not
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  clearInterval(keepAlive);
}

async function main(argv) {
  const persistence = argv[0] === '--persistence' ? argv.splice(0, 2)[1] : 'none';
  if (!(persistence in PERSISTENCE))
    throw new Error(
      `--persistence must be ${Object.keys(PERSISTENCE).join(' or ')}, got: ${persistence}`,
    );
  const command = argv[0] === '--' ? argv.slice(1) : argv;

  const redis = await provideRedis(persistence);
  try {
    if (command.length > 0) return await run(command, redis.url);
    console.log(redis.url);
    await untilInterrupted();
    return 0;
  } finally {
    await redis.stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await main(process.argv.slice(2)).catch((error) => {
    say(error.message);
    return 1;
  });
}
