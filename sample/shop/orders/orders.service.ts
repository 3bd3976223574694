import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { MessageProducer, RequestFailedError, Transactional } from 'nestjs-rivulet';
import { orderPlaced, priceQuote } from '../topics.js';
import type { Order, OrderRequest } from './order.js';
import { OrdersTable } from './orders.table.js';

const LONGEST_WAIT_FOR_A_PRICE_MS = 2_000;

@Injectable()
export class OrdersService {
  private readonly lastPrices = new Map<string, number>();

  constructor(
    private readonly producer: MessageProducer,
    private readonly orders: OrdersTable,
  ) {}

  async place({ item, quantity, card }: OrderRequest): Promise<Order> {
    const priceCents = await this.priceOf(item);
    const id = `${item}-${randomBytes(2).toString('hex')}`;
    const order = { id, item, quantity, card, totalCents: quantity * priceCents };
    await this.record(order);
    return order;
  }

  /** The row and the message are there together or not at all, whatever happens to this process or to Redis. */
  @Transactional()
  async record(order: Order): Promise<void> {
    await this.orders.insert(order);
    // Whoever consumes in order has those of one item one after the other.
    await this.producer.send(orderPlaced, order, { key: order.id, messageGroup: order.item });
  }

  find(id: string): Promise<Order | undefined> {
    return this.orders.find(id);
  }

  all(): Promise<Order[]> {
    return this.orders.all();
  }

  /** An order waits for no answer: the last price is good enough while nobody gives one. */
  private async priceOf(item: string): Promise<number> {
    try {
      const timeoutMs = LONGEST_WAIT_FOR_A_PRICE_MS;
      const price = await this.producer.request<number>(priceQuote, { item }, { timeoutMs });
      this.lastPrices.set(item, price);
      return price;
    } catch (error) {
      const last = this.lastPrices.get(item);
      if (last === undefined || error instanceof RequestFailedError) throw error;
      return last;
    }
  }
}
