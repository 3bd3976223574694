// What every measuring process runs first: takes a file and a job from its parent, runs the file's default export
// and sends back what it returns. Ends with its parent.
import { once } from 'node:events';

process.on('disconnect', () => process.exit(1));
const [{ file, job }] = await once(process, 'message');
const stopped = new Promise((resolve) => {
  process.on('message', ({ stop }) => stop && resolve());
});
const say = (message) => new Promise((resolve) => process.send(message, resolve));

const { default: run } = await import(file);
const result = await run(job, { ready: () => say({ ready: true }), stopped });
await say({ done: true, result });
process.exit(0);
