import { Module } from '@nestjs/common';
import { JourneyModule } from '../journey/journey.module.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

@Module({ imports: [JourneyModule], controllers: [OrdersController], providers: [OrdersService] })
export class OrdersModule {}
