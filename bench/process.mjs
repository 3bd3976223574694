// Processes of a benchmark. Each side has its own, so that no side inherits another's heap, compiled code or sockets.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));

/** Runs a file of a benchmark to its end. @returns what its default export resolved with. */
export function run(file, job) {
  return launch(file, job).result;
}

/** Starts a file that works until it is stopped. Resolves once it says that it is ready. */
export async function start(file, job) {
  const { ready, result, child } = launch(file, job);
  await Promise.race([ready, result]);
  return {
    /** @returns what its default export resolved with. */
    stop() {
      child.send({ stop: true });
      return result;
    },
  };
}

function launch(file, job) {
  const profiles = process.env.BENCH_PROFILE_DIR;
  const child = fork(CHILD, {
    execArgv: ['--expose-gc', ...(profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const path = new URL(file, import.meta.url).href;
  child.send({ file: path, job });

  let isReady;
  const ready = new Promise((resolve) => (isReady = resolve));
  const result = new Promise((resolve, reject) => {
    let answered = false;
    child.on('message', (message) => {
      if (message.ready) isReady();
      if (!message.done) return;
      answered = true;
      resolve(message.result);
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (!answered) reject(new Error(`${file} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
  result.catch(() => {}); // whoever awaits it hears of it; a partner that is only stopped need not
  return { ready, result, child };
}
