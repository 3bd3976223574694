import { Injectable } from '@nestjs/common';
import { Transactions } from 'nestjs-rivulet';
import { Database } from '../database/database.js';
import type { Order } from './order.js';

const COLUMNS = 'id, item, quantity, card, total_cents AS "totalCents"';

/** The orders, in the transaction that runs where it is called. */
@Injectable()
export class OrdersTable {
  constructor(
    private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  async insert({ id, item, quantity, card, totalCents }: Order): Promise<void> {
    await this.query('INSERT INTO orders VALUES ($1, $2, $3, $4, $5)', [
      id,
      item,
      quantity,
      card,
      totalCents,
    ]);
  }

  async find(id: string): Promise<Order | undefined> {
    const [order] = await this.query<Order>(`SELECT ${COLUMNS} FROM orders WHERE id = $1`, [id]);
    return order && { ...order };
  }

  async all(): Promise<Order[]> {
    const orders = await this.query<Order>(`SELECT ${COLUMNS} FROM orders ORDER BY id`, []);
    return orders.map((order) => ({ ...order }));
  }

  private query<Row>(sql: string, values: (string | number)[]): Promise<Row[]> {
    return this.database.query<Row>(sql, values, this.transactions.current());
  }
}
