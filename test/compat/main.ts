// A user's smallest applications: one message published, one handler; then the same through the transport, where a guard
// denies and a request is answered. tools/compat.mjs compiles and runs it against each version of Nest we promise.
import 'reflect-metadata';
import {
  type CanActivate,
  Controller,
  Injectable,
  Module,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  MessageProducer,
  type Rivulet,
  RivuletClient,
  RivuletModule,
  RivuletServer,
  Subscribe,
} from 'nestjs-rivulet';
import { firstValueFrom } from 'rxjs';

const connection = process.env.REDIS_URL ?? '';

interface Order {
  id: string;
}

let receive: (order: Order) => void;
const received = new Promise<Order>((resolve) => (receive = resolve));

@Injectable()
class BillingService {
  @Subscribe('orders', { group: 'billing' })
  charge(@Payload() order: Order): void {
    receive(order);
  }
}

@Module({
  imports: [RivuletModule.forRoot({ connection, group: 'compat' })],
  providers: [BillingService],
})
class AppModule {}

@Injectable()
class Doorman implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException('no token');
  }
}

@Controller()
class DoorController {
  @EventPattern('visitors')
  @UseGuards(Doorman)
  visit(@Payload() _visitor: string): void {}

  @MessagePattern('ring')
  ring(@Payload() times: number): string {
    return 'ding '.repeat(times).trim();
  }
}

@Module({ controllers: [DoorController] })
class DoorModule {}

async function subscribed(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  await app.get(MessageProducer).send('orders', { id: '17' });
  console.log(`order ${(await received).id} charged`);
  await app.close();
}

async function transported(): Promise<void> {
  const strategy = new RivuletServer({ connection, group: 'compat' });
  const app = await NestFactory.createMicroservice(DoorModule, { strategy, logger: false });
  await app.listen();
  const client = new RivuletClient({ connection });
  const { events } = strategy.unwrap<Rivulet>();
  const denied = events.next('dead-lettered');
  client.emit('visitors', 'somebody');
  console.log((await denied).reason);
  console.log(await firstValueFrom(client.send<string>('ring', 2)));
  await client.close();
  await app.close();
}

async function main(): Promise<void> {
  await subscribed();
  await transported();
}

void main();
