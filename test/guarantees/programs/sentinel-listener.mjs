// A process that listens to Sentinels for a new master. Tells what came on its console once it looked for them several times.
// argv: connection (JSON)
import { RedisStores } from '../../../dist/redis/redis-stores.js';
import { leave, tell } from '../../helpers/parent.mjs';

const TRIES = 20;

const said = [];
console.error = (...words) => said.push(words.join(' '));

let tries = 0;
let sayLookedFor;
const lookedFor = new Promise((resolve) => (sayLookedFor = resolve));
const connection = {
  ...JSON.parse(process.argv[2]),
  // Asked whenever a connection to one of them ended, or did not come about.
  sentinelReconnectStrategy: () => {
    tries += 1;
    if (tries === TRIES) sayLookedFor();
    return 10;
  },
};
const stores = new RedisStores({ connection, namespace: 'listener' });
await stores.open(30_000);
await tell({ ready: true });
await lookedFor;
await tell({ event: said[0] ?? 'nothing was said' });
await stores.close();
leave();
