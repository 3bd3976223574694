import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Events, RivuletServer } from 'nestjs-rivulet';
import { AppModule } from './app.module.js';
import { placeFirstOrders } from './first-orders.js';
import { HEADING } from './journey/format-step.js';

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['fatal', 'error', 'warn'] });
  app.connectMicroservice({ strategy: app.get(RivuletServer) });
  app.enableShutdownHooks();
  await app.startAllMicroservices();
  await app.listen(process.env.PORT ?? 0, 'localhost');
  const url = await app.getUrl();

  if (process.argv.includes('--no-orders')) return console.log(`The shop is open at ${url}.`);
  console.log(`The shop is open at ${url} and places six orders with itself.\n\n${HEADING}`);
  await placeFirstOrders(url, app.get(Events));
  console.log(whatToTryNext(url));
}

function whatToTryNext(url: string): string {
  return `
Try next:
  curl -X POST ${url}/orders -H 'content-type: application/json' -d '{"item":"tea","quantity":1,"card":"any-card"}'
  curl ${url}/journey                               # what happened to each order
  curl ${url}/dead-letters                          # what was given up, and why
  curl -X DELETE ${url}/blocked-cards/blocked-card  # deal with the cause
  curl -X POST ${url}/dead-letters/redrive          # try again what was given up
Ctrl+C closes the shop.
`;
}

await main();
