import { Controller } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { priceQuote } from '../topics.js';

const PRICES_IN_CENTS: Record<string, number> = {
  tea: 450,
  lamp: 7_900,
  vase: 12_000,
  chair: 5_500,
  mug: 1_250,
};

@Controller()
export class PricingController {
  /** What is returned, or thrown, is the answer to the request. */
  @MessagePattern(priceQuote, { group: 'pricing' })
  quote(@Payload() { item }: { item: string }): number {
    const price = PRICES_IN_CENTS[item];
    if (price === undefined) throw new RpcException(`we do not sell "${item}"`);
    return price;
  }
}
