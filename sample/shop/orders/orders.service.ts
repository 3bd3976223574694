import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { MessageProducer } from 'nestjs-rivulet';
import { orderPlaced, priceQuote } from '../topics.js';
import type { Order, OrderRequest } from './order.js';

@Injectable()
export class OrdersService {
  private readonly orders = new Map<string, Order>();

  constructor(private readonly producer: MessageProducer) {}

  async place({ item, quantity, card }: OrderRequest): Promise<Order> {
    const priceCents = await this.producer.request<number>(priceQuote, { item });
    const id = `${item}-${randomBytes(2).toString('hex')}`;
    const order = { id, item, quantity, card, totalCents: quantity * priceCents };

    // Resolves once the message is stored: whatever happens to this process now, nobody forgets the order.
    await this.producer.send(orderPlaced, order, { key: id, dedupId: id });
    this.orders.set(id, order);
    return order;
  }

  find(id: string): Order | undefined {
    return this.orders.get(id);
  }
}
