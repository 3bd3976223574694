import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RivuletServer } from '../../dist/index.js';
import { decorate } from '../decorate.mjs';
import { Responder } from './responder.mjs';
import { rivuletOptions } from './rivulet-connection.mjs';

class ResponderModule {}
decorate(ResponderModule, [Module({ controllers: [Responder] })]);

export default async function responder(job, { ready, stopped }) {
  const app = await NestFactory.createMicroservice(ResponderModule, {
    strategy: new RivuletServer(rivuletOptions),
    logger: ['error', 'warn'],
  });
  await app.listen();
  await ready();
  await stopped;
  await app.close();
}
