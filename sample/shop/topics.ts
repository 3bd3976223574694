import { defineTopic } from 'nestjs-rivulet';
import { type Order, orderSchema } from './orders/order.js';

/** What the parts of the shop tell each other: nobody imports anything else from somebody else's folder. */
export const orderPlaced = defineTopic<Order>('order.placed', { schema: orderSchema });

/** Sent with a delay, when the parcel has arrived. */
export const reviewDue = defineTopic<{ orderId: string }>('review.due');

/** Asked with a request: an item's price in cents. */
export const priceQuote = defineTopic<{ item: string }>('price.quote');
