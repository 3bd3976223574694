import { Controller, Delete, NotFoundException, Param } from '@nestjs/common';
import { Bank } from './bank.js';

@Controller('blocked-cards')
export class BlockedCardsController {
  constructor(private readonly bank: Bank) {}

  @Delete(':card')
  unblock(@Param('card') card: string): { unblocked: string } {
    if (!this.bank.unblock(card)) throw new NotFoundException(`${card} is not blocked`);
    return { unblocked: card };
  }
}
