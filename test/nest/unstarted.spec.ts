import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { RivuletServer } from 'nestjs-rivulet';
import { ManualClock, MemoryStores } from 'nestjs-rivulet/testing';
import { silentLogger } from '../../lib/core/runtime/logger.js';
import { compile } from './helpers/open-app.js';

// The transports of Nest read from startAllMicroservices() on, also where the application never starts, so that many a
// main.ts of a service without HTTP ends there.

@Controller()
class Stock {
  @MessagePattern('stock')
  stock() {
    return 1;
  }
}

/** A hybrid application whose transport listens, and the warnings that it gives from now on. */
async function listening(consume = true) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (line: string) => void warnings.push(line) };
  const { app } = await compile({
    controllers: [Stock],
    rivulet: { stores: new MemoryStores({ clock }), logger, consume },
  });
  const hybrid = app.createNestApplication({ logger: false });
  hybrid.connectMicroservice({ strategy: app.get(RivuletServer) });
  await hybrid.startAllMicroservices();
  warnings.length = 0;
  return { hybrid, clock, warnings };
}

describe('An application whose transport listens', () => {
  it('says so when it has not started ten seconds later, and what is missing', async () => {
    const { hybrid, clock, warnings } = await listening();
    await clock.advance(9_999);
    expect(warnings).toEqual([]);
    await clock.advance(1);
    expect(warnings).toEqual([
      'The transport has listened for 10 s, and nothing is read yet: messages wait until the application has started. ' +
        'After app.startAllMicroservices() call app.init(), or app.listen() where there is HTTP, too.',
    ]);
    await clock.advance(60_000);
    expect(warnings).toHaveLength(1);
    await hybrid.close();
  });

  it('says nothing once it has started', async () => {
    const { hybrid, clock, warnings } = await listening();
    await hybrid.init();
    await clock.advance(60_000);
    expect(warnings).toEqual([]);
    await hybrid.close();
  });

  it('says nothing where it consumes nothing', async () => {
    const { hybrid, clock, warnings } = await listening(false);
    await clock.advance(60_000);
    expect(warnings).toEqual([]);
    await hybrid.close();
  });

  it('says nothing once it closes', async () => {
    const { hybrid, clock, warnings } = await listening();
    await hybrid.close();
    await clock.advance(60_000);
    expect(warnings).toEqual([]);
  });
});
