// A private server: 127.0.0.1 only, own port, own folder, gone when the process that started it is gone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Below the ephemeral range of Linux and macOS, and so are Redis's cluster bus ports 10 000 above: no outgoing connection
// can take the port while a restarted server is down.
const PORTS = { first: 11_000, count: 10_000 };
const START_TIMEOUT_MS = 60_000;
const RESTARTS = 8;
/** Somebody may take the port between the look at it and the start. */
const STARTS = 5;
const ENDING = ['SIGKILL', 'SIGTERM', 'SIGINT'];

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
 * Start a private server in a folder of its own. It ends with this process, even after kill -9.
 *
 * @param name For errors.
 * @param prepare Called with { port, dir } before the first start; answers the command.
 * @param isUp Whether the server at this port and in this folder answers by now.
 * @param stopSignal Asks the server to end soon and in order. Default SIGTERM.
 * @param user { uid, gid } to run it as. Default: as this process.
 * @throws when the server refuses its arguments or does not answer within 60 s; the message holds the end of its log.
 */
export async function startPrivateServer(options) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(await claimPort(), options);
    } catch (error) {
      if (attempt === STARTS || !/address already in use/i.test(error.message)) throw error;
    }
  }
}

async function startOn(
  { port, dir },
  { name, prepare, isUp, env = {}, user = {}, stopSignal = 'SIGTERM' },
) {
  const removeDir = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  let command;
  const launch = () => launchServer({ name, command, env, user, dir, isUp: () => isUp(port, dir) });

  let server;
  try {
    if (user.uid !== undefined) chownSync(dir, user.uid, user.gid);
    command = await prepare({ port, dir });
    server = await launch();
  } catch (error) {
    removeDir();
    throw error;
  }
  return {
    port,
    dir,
    get pid() {
      return server.pid;
    },
    kill: (signal = 'SIGKILL') => server.kill(signal),
    async restart() {
      await server.end(stopSignal);
      server = await launchAgain(launch);
    },
    async stop() {
      await server.end('SIGKILL');
      removeDir();
    },
  };
}

/** After kill -9 the server's own children may live on for a moment, and it does not start beside them (PostgreSQL). */
async function launchAgain(launch) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch();
    } catch (error) {
      if (attempt === RESTARTS) throw error;
      await sleep(100 * attempt);
    }
  }
}

/** A free port and the folder named after it. Making the folder is the claim: two processes cannot both succeed. */
async function claimPort() {
  for (let attempt = 1; attempt <= 50; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const dir = join(tmpdir(), `rivulet-server-${port}`);
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

async function launchServer({ name, command, env, user, dir, isUp }) {
  const logFile = join(dir, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', dir, ...command], {
    stdio: ['ignore', log, log, 'pipe'],
    env: { ...process.env, ...env },
    ...user,
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
    if (ENDING.includes(signal)) {
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

  if (await answers(isUp, isRunning)) return { pid: child.pid, kill, end };
  await end('SIGKILL');
  const lastLines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
  throw new Error(`${name} did not start: ${command.join(' ')}\n${lastLines}`);
}

async function answers(isUp, isRunning) {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (isRunning() && Date.now() < giveUpAt) {
    if (await isUp()) return true;
    await sleep(10);
  }
  return false;
}
