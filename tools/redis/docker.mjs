import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const IMAGE = 'redis:8-alpine';
const START_TIMEOUT_MS = 120_000; // the image may have to be pulled first

export function hasDocker() {
  return spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;
}

/** As `startRedis`, in a container. It ends when its stdin does, that is, with this process. */
export async function startRedisInDocker(serverArgs) {
  const name = `rivulet-redis-${process.pid}`;
  const untilStdinEnds = 'redis-server "$@" & cat > /dev/null; kill $!; wait';
  const container = spawn(
    'docker',
    [
      ...['run', '--rm', '--interactive', '--name', name, '--publish', '127.0.0.1::6379'],
      ...[IMAGE, 'sh', '-c', untilStdinEnds, 'sh', ...serverArgs],
    ],
    { stdio: ['pipe', 'ignore', 'inherit'], detached: true },
  );
  const docker = (...args) => spawnSync('docker', args, { encoding: 'utf8' });
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (container.exitCode === null && Date.now() < giveUpAt) {
    if (docker('exec', name, 'redis-cli', 'ping').stdout?.startsWith('PONG')) {
      const address = docker('port', name, '6379').stdout.split('\n')[0].trim();
      return {
        url: `redis://${address}`,
        async stop() {
          const exit = once(container, 'exit');
          container.stdin.end();
          await exit;
        },
      };
    }
    await sleep(100);
  }
  container.stdin.end();
  throw new Error(`docker could not run ${IMAGE}`);
}
