import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { decorate } from '../decorate.mjs';
import { nestRedis } from './nestredis-connection.mjs';
import { Responder } from './responder.mjs';

class ResponderModule {}
decorate(ResponderModule, [Module({ controllers: [Responder] })]);

export default async function responder(job, { ready, stopped }) {
  const app = await NestFactory.createMicroservice(ResponderModule, {
    ...nestRedis,
    logger: ['error', 'warn'],
  });
  await app.listen();
  await ready();
  await stopped;
  await app.close();
}
