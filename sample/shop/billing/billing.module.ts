import { Module } from '@nestjs/common';
import { Bank } from './bank.js';
import { BillingService } from './billing.service.js';
import { BlockedCardsController } from './blocked-cards.controller.js';

@Module({ controllers: [BlockedCardsController], providers: [Bank, BillingService] })
export class BillingModule {}
