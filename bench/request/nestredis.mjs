import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { ClientProxyFactory } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { bodyAt } from '../bodies.mjs';
import { start } from '../process.mjs';
import { measureSends } from '../send/measure.mjs';
import { nestRedis } from './nestredis-connection.mjs';
import { PATTERN } from './responder.mjs';

export default async function nestredis(job) {
  const responder = await start('request/nestredis-responder.mjs', job);
  Logger.overrideLogger(['error', 'warn']);
  const client = ClientProxyFactory.create(nestRedis);
  await client.connect();
  const figures = await measureSends(job, (i) => lastValueFrom(client.send(PATTERN, bodyAt(i))));
  await client.close();
  await responder.stop();
  return figures;
}
