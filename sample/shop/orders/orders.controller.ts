import {
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  UseFilters,
} from '@nestjs/common';
import type { Step } from '../journey/format-step.js';
import { JourneyService } from '../journey/journey.service.js';
import type { Order, OrderRequest } from './order.js';
import { OrdersService } from './orders.service.js';
import { RefusedOrderFilter } from './refused-order.filter.js';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    private readonly journey: JourneyService,
  ) {}

  /** 202: the order is recorded, and so is the message about it; billing, stock and mail see to it in their own time. */
  @Post()
  @HttpCode(202)
  @UseFilters(RefusedOrderFilter)
  place(@Body() request: OrderRequest): Promise<Order> {
    return this.orders.place(request);
  }

  @Get()
  all(): Promise<Order[]> {
    return this.orders.all();
  }

  @Get(':id')
  async find(@Param('id') id: string): Promise<Order & { journey: readonly Step[] }> {
    const order = await this.orders.find(id);
    if (!order) throw new NotFoundException(`there is no order ${id}`);
    return { ...order, journey: this.journey.of(id) };
  }
}
