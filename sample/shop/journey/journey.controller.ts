import { Controller, Get } from '@nestjs/common';
import type { Step } from './format-step.js';
import { JourneyService } from './journey.service.js';

@Controller('journey')
export class JourneyController {
  constructor(private readonly journey: JourneyService) {}

  @Get()
  all(): Record<string, readonly Step[]> {
    return this.journey.all();
  }
}
