// A private Redis: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Below the ephemeral range of Linux and macOS, and so are the cluster bus ports 10 000 above: no outgoing connection
// can take the port while a restarted server is down.
const PORTS = { first: 11_000, count: 10_000 };
const START_TIMEOUT_MS = 10_000;

export const PERSISTENCE = {
  none: ['--save', '', '--appendonly', 'no'],
  'aof-everysec': ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
};

// The subshell outlives the server, which `exec` gives the shell's own pid. It reads a pipe only our parent holds:
// end of file means the parent is gone, however it went, kill -9 included.
const WATCHDOG = `
dir=$1; shift
(
  read -r word <&3
  if [ "$word" = exited ]; then read -r word <&3; else kill -9 $$; fi
  [ "$word" = released ] || rm -rf "$dir"
) &
exec "$@" 3<&-
`;

/**
 * Start a private server. It ends with this process, even after kill -9.
 *
 * @throws when the server refuses its arguments or does not answer within 10 s; the message holds the end of its log.
 */
export async function startRedis(binary, { persistence = 'none', args = [] } = {}) {
  const { port, dir } = await claimPort();
  const command = [
    binary.bin,
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
    ...PERSISTENCE[persistence],
    ...args,
  ];
  const launch = () => launchServer({ command, env: binary.env, port, dir });
  const removeDir = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 });

  let server;
  try {
    server = await launch();
  } catch (error) {
    removeDir();
    throw error;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return server.pid;
    },
    kill: (signal = 'SIGKILL') => server.kill(signal),
    async restart() {
      await server.end('SIGTERM');
      server = await launch();
    },
    async stop() {
      await server.end('SIGKILL');
      removeDir();
    },
  };
}

/** A free port and the folder named after it. Making the folder is the claim: two processes cannot both succeed. */
async function claimPort() {
  for (let attempt = 1; attempt <= 50; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const dir = join(tmpdir(), `rivulet-redis-${port}`);
    try {
      mkdirSync(dir, { mode: 0o700 });
    } catch (error) {
      if (error.code === 'EEXIST') continue;
      throw error;
    }
    if (await isFree(port)) return { port, dir };
    rmSync(dir, { recursive: true });
  }
  throw new Error(`No free port from ${PORTS.first} to ${PORTS.first + PORTS.count - 1}`);
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function launchServer({ command, env, port, dir }) {
  const logFile = join(dir, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', dir, ...command], {
    stdio: ['ignore', log, log, 'pipe'],
    env: { ...process.env, ...env },
    detached: true, // Ctrl+C in the terminal goes to the application first; the server ends after it
  });
  closeSync(log);
  const watchdog = child.stdio[3];
  watchdog.on('error', () => {}); // it may be gone first when the whole machine is going down
  const exited = once(child, 'exit').then(() => {
    watchdog.write('exited\n');
    return true;
  });
  child.unref();
  watchdog.unref();

  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = async (signal) => {
    if (!isRunning()) return;
    child.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') {
      child.ref();
      await exited;
    }
  };
  /** The folder is ours again afterwards: the watchdog lets go of it. */
  const end = async (signal) => {
    if (isRunning()) child.kill('SIGCONT'); // a stopped process would not see SIGTERM
    await kill(signal);
    watchdog.end('released\n');
  };

  if (await answers(port, isRunning)) return { pid: child.pid, kill, end };
  await end('SIGKILL');
  const lastLines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
  throw new Error(`Redis did not start: ${command.join(' ')}\n${lastLines}`);
}

async function answers(port, isRunning) {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (isRunning() && Date.now() < giveUpAt) {
    if (await ping(port)) return true;
    await sleep(10);
  }
  return false;
}

/** Any reply but "loading" will do: a server that wants a password is up as well. */
function ping(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (isUp) => {
      resolve(isUp);
      socket.destroy();
    };
    socket.setTimeout(500, () => settle(false));
    socket.once('data', (reply) => settle(!reply.toString().startsWith('-LOADING')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
