import { lastValueFrom } from 'rxjs';
import { RivuletClient } from '../../dist/index.js';
import { bodyAt } from '../bodies.mjs';
import { start } from '../process.mjs';
import { measureSends } from '../send/measure.mjs';
import { PATTERN } from './responder.mjs';
import { rivuletOptions } from './rivulet-connection.mjs';

export default async function rivulet(job) {
  const responder = await start('request/rivulet-responder.mjs', job);
  const client = new RivuletClient(rivuletOptions);
  await client.connect();
  const figures = await measureSends(job, (i) => lastValueFrom(client.send(PATTERN, bodyAt(i))));
  await client.close();
  await responder.stop();
  return figures;
}
