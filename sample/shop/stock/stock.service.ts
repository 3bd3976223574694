import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Subscribe } from 'nestjs-rivulet';
import { orderPlaced } from '../topics.js';
import { type Parcel, ParcelPipe } from './parcel.pipe.js';

@Injectable()
export class StockService {
  private readonly left = new Map([
    ['tea', 100],
    ['lamp', 10],
    ['vase', 3],
    ['chair', 80],
    ['mug', 40],
  ]);
  private readonly beingCounted = new Set(['mug']);

  /**
   * Orders of one item are packed one after the other, as they were placed: a retry keeps the later ones waiting, and those
   * of other items go on. Pipes, guards, interceptors and filters work as in a controller. What a pipe refuses is not retried.
   */
  @Subscribe(orderPlaced, {
    group: 'stock',
    ordered: true,
    onExhausted: 'dead-letter', // by default an item would wait for an operator
    retry: { maxAttempts: 5, backoff: { fromMs: 300 } },
  })
  reserve(@Payload(ParcelPipe) parcel: Parcel): void {
    if (this.beingCounted.delete(parcel.item)) throw new Error('somebody is counting the shelf');
    this.left.set(parcel.item, (this.left.get(parcel.item) ?? 0) - parcel.quantity);
  }
}
