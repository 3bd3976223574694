import { Inject, type InjectionToken } from '@nestjs/common';
import { Events } from '../core/runtime/events.js';
import { Rivulet } from '../core/rivulet.js';
import { Transactions } from '../core/transaction/transactions.js';
import { MessageAdmin } from '../inspect/message-admin.js';
import { checkInstanceName } from './instance-names.js';
import { MessageConsumer } from './message-consumer.js';
import { MessageProducer } from './message-producer.js';
import { RivuletHealth } from './rivulet-health.js';
import { RivuletClient } from './transport/client.js';
import { RivuletServer } from './transport/server.js';

type Class<T> = abstract new (...args: never[]) => T;

/** Classes are the tokens of the default instance, so that a constructor needs no decorator. */
function tokenOf<T>(type: Class<T>, name: string | undefined): InjectionToken<T> {
  if (name === undefined) return type as InjectionToken<T>;
  checkInstanceName(`Token of ${type.name}`, name);
  return `${type.name}:${name}`;
}

export function getProducerToken(name?: string): InjectionToken<MessageProducer> {
  return tokenOf(MessageProducer, name);
}

export function getConsumerToken(name?: string): InjectionToken<MessageConsumer> {
  return tokenOf(MessageConsumer, name);
}

export function getAdminToken(name?: string): InjectionToken<MessageAdmin> {
  return tokenOf(MessageAdmin, name);
}

export function getRivuletToken(name?: string): InjectionToken<Rivulet> {
  return tokenOf(Rivulet, name);
}

export function getEventsToken(name?: string): InjectionToken<Events> {
  return tokenOf(Events, name);
}

export function getTransactionsToken(name?: string): InjectionToken<Transactions> {
  return tokenOf(Transactions, name);
}

export function getServerToken(name?: string): InjectionToken<RivuletServer> {
  return tokenOf(RivuletServer, name);
}

export function getHealthToken(name?: string): InjectionToken<RivuletHealth> {
  return tokenOf(RivuletHealth, name);
}

export function getClientToken(name?: string): InjectionToken<RivuletClient> {
  return tokenOf(RivuletClient, name);
}

/** Where messages are stored: override it in a test, and no Redis is needed. */
export function getStoresToken(name = 'default'): string {
  checkInstanceName('getStoresToken', name);
  return `RivuletStores:${name}`;
}

/** The options as they were given to `forRoot`, or made by the factory of `forRootAsync`. */
export function getOptionsToken(name = 'default'): string {
  checkInstanceName('getOptionsToken', name);
  return `RivuletOptions:${name}`;
}

type InjectDecorator = PropertyDecorator & ParameterDecorator;

export const InjectProducer = (name?: string): InjectDecorator => Inject(getProducerToken(name));
export const InjectConsumer = (name?: string): InjectDecorator => Inject(getConsumerToken(name));
export const InjectAdmin = (name?: string): InjectDecorator => Inject(getAdminToken(name));
export const InjectRivulet = (name?: string): InjectDecorator => Inject(getRivuletToken(name));
export const InjectEvents = (name?: string): InjectDecorator => Inject(getEventsToken(name));
export const InjectHealth = (name?: string): InjectDecorator => Inject(getHealthToken(name));
export const InjectClient = (name?: string): InjectDecorator => Inject(getClientToken(name));
export const InjectTransactions = (name?: string): InjectDecorator =>
  Inject(getTransactionsToken(name));
