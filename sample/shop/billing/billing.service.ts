import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { RejectMessageError, Subscribe } from 'nestjs-rivulet';
import type { Order } from '../orders/order.js';
import { orderPlaced } from '../topics.js';
import { Bank, CardBlockedError } from './bank.js';

@Injectable()
export class BillingService {
  constructor(private readonly bank: Bank) {}

  /** Returning is an ack. Throwing is another attempt, except for what no attempt will change. */
  @Subscribe(orderPlaced, {
    group: 'billing',
    idempotent: true, // a card is not charged again for an order that was paid
    retry: { maxAttempts: 5, backoff: { fromMs: 300 } },
  })
  async charge(@Payload() order: Order): Promise<void> {
    try {
      await this.bank.charge(order.card, order.totalCents);
    } catch (error) {
      if (error instanceof CardBlockedError)
        throw new RejectMessageError(error.message, { cause: error });
      throw error;
    }
  }
}
