// Ours: a Nest application with `@Subscribe` handlers, as a user would write it.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { RivuletModule, Subscribe } from '../dist/index.js';
import { decorate, decorateMethod, decorateParameter } from './decorate.mjs';

export const TOPIC = 'bench';
export const GROUP = 'bench';

/** A provider with one `@Subscribe` method per topic. */
export function subscriber(topics, options, handle) {
  class Subscriber {}
  decorate(Subscriber, [Injectable()]);
  topics.forEach((topic, i) => {
    const name = `on${i}`;
    Object.defineProperty(Subscriber.prototype, name, { value: handle, configurable: true });
    decorateMethod(Subscriber, name, [Subscribe(topic, options)]);
    decorateParameter(Subscriber, name, 0, Payload());
  });
  return Subscriber;
}

/** Resolves when the application has started; reads for every subscription have begun. */
export async function openApp(
  { providers = [], ...options } = {},
  { logger = ['error', 'warn'] } = {},
) {
  class BenchModule {}
  const rivulet = RivuletModule.forRoot({
    connection: process.env.REDIS_URL,
    namespace: 'bench',
    group: GROUP,
    ...options,
  });
  decorate(BenchModule, [Module({ imports: [rivulet], providers })]);
  return NestFactory.createApplicationContext(BenchModule, { logger });
}
