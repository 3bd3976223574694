import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { MessageProducer } from 'nestjs-rivulet';
import type { Order } from '../orders/order.js';
import { orderPlaced, reviewDue } from '../topics.js';

const PARCEL_ARRIVES_AFTER_MS = 2_000;

/** A plain Nest microservice controller: its topics come in through the transport. */
@Controller()
export class MailController {
  constructor(private readonly producer: MessageProducer) {}

  /** A retry of this handler asks for one review only: the second send carries the same dedup id. */
  @EventPattern(orderPlaced, { group: 'mail' })
  async thank(@Payload() { id }: Order): Promise<void> {
    await this.producer.send(
      reviewDue,
      { orderId: id },
      { key: id, dedupId: id, delayMs: PARCEL_ARRIVES_AFTER_MS },
    );
  }

  @EventPattern(reviewDue, { group: 'mail' })
  askForReview(@Payload() _review: { orderId: string }): void {}
}
