import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { type DeadLetter, MessageAdmin } from 'nestjs-rivulet';
import { orderPlaced } from '../topics.js';

interface GivenUp {
  order: string | undefined;
  group: string;
  attempts: number;
  reason: string;
}

@Controller('dead-letters')
export class DeadLettersController {
  constructor(private readonly admin: MessageAdmin) {}

  @Get()
  async list(): Promise<GivenUp[]> {
    const pages = await Promise.all(
      (await this.groups()).map((group) => this.admin.listDeadLetters(orderPlaced, group)),
    );
    return pages.flatMap(({ letters }) => letters.map(givenUp));
  }

  /** Again, for the group that gave up only. Deal with the cause first, or they come back. */
  @Post('redrive')
  @HttpCode(200)
  async redrive(): Promise<{ redriven: number }> {
    const results = await Promise.all(
      (await this.groups()).map((group) => this.admin.redriveDeadLetters(orderPlaced, group)),
    );
    return { redriven: results.reduce((sum, { redriven }) => sum + redriven, 0) };
  }

  private async groups(): Promise<string[]> {
    return (await this.admin.listGroups(orderPlaced)).map(({ group }) => group);
  }
}

function givenUp({ entry, group, attempts, reason }: DeadLetter): GivenUp {
  const order = entry.kind === 'message' ? entry.message.key : undefined;
  return { order, group, attempts, reason };
}
