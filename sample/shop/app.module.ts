import { Module } from '@nestjs/common';
import { RivuletModule } from 'nestjs-rivulet';
import { BillingModule } from './billing/billing.module.js';
import { Database } from './database/database.js';
import { DatabaseModule } from './database/database.module.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { JourneyModule } from './journey/journey.module.js';
import { MailModule } from './mail/mail.module.js';
import { OrdersModule } from './orders/orders.module.js';
import { PricingModule } from './pricing/pricing.module.js';
import { StockModule } from './stock/stock.module.js';

/** The journey tells what the log would: in columns. */
const quiet = { error() {}, warn() {}, log() {}, debug() {} };

@Module({
  imports: [
    RivuletModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [Database],
      useFactory: ({ participant }: Database) => ({
        connection: process.env.REDIS_URL ?? 'redis://localhost:6379',
        namespace: 'shop',
        group: 'shop',
        // A process that is about to die (npm run demo:crash) takes no work that others would have to finish, and dies with
        // a half message also where Redis is slow.
        consume: process.env.SHOP_DIES === undefined,
        transactions: {
          participants: [participant],
          ...(process.env.SHOP_DIES !== undefined && { halfTimeoutMs: 10_000 }),
        },
        logger: quiet,
      }),
    }),
    OrdersModule,
    PricingModule,
    BillingModule,
    StockModule,
    MailModule,
    JourneyModule,
    DeadLettersModule,
  ],
})
export class AppModule {}
