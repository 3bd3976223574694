import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { Order } from '../orders/order.js';

export interface Parcel {
  item: string;
  quantity: number;
}

const MOST_PER_PARCEL = 12;

/** An order as the store room sees it. */
@Injectable()
export class ParcelPipe implements PipeTransform<Order, Parcel> {
  transform({ item, quantity }: Order): Parcel {
    if (quantity > MOST_PER_PARCEL)
      throw new BadRequestException(
        `a parcel holds ${MOST_PER_PARCEL} pieces, this order has ${quantity}`,
      );
    return { item, quantity };
  }
}
