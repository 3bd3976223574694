import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { JourneyModule } from '../journey/journey.module.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { OrdersTable } from './orders.table.js';

@Module({
  imports: [DatabaseModule, JourneyModule],
  controllers: [OrdersController],
  providers: [OrdersService, OrdersTable],
})
export class OrdersModule {}
