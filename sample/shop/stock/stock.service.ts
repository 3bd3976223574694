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
  ]);

  /** Pipes, guards, interceptors and filters work as in a controller. What a pipe refuses is not retried. */
  @Subscribe(orderPlaced, { group: 'stock' })
  reserve(@Payload(ParcelPipe) parcel: Parcel): void {
    this.left.set(parcel.item, (this.left.get(parcel.item) ?? 0) - parcel.quantity);
  }
}
