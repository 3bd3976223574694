import type { StandardSchema } from 'nestjs-rivulet';

export interface OrderRequest {
  item: string;
  quantity: number;
  card: string;
}

export interface Order extends OrderRequest {
  id: string;
  totalCents: number;
}

/** Written by hand to show how little it takes; a Zod, Valibot or ArkType schema fits as it is. */
export const orderSchema: StandardSchema<Order> = {
  '~standard': {
    version: 1,
    vendor: 'shop',
    validate(value) {
      const order = value as Order;
      const issues = [
        isText(order.item) ? [] : [{ path: ['item'], message: 'must be text' }],
        isText(order.card) ? [] : [{ path: ['card'], message: 'must be text' }],
        Number.isInteger(order.quantity) && order.quantity > 0
          ? []
          : [{ path: ['quantity'], message: 'must be a whole number of at least 1' }],
      ].flat();
      return issues.length > 0 ? { issues } : { value: order };
    },
  },
};

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
