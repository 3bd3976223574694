import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { EMPTY, firstValueFrom, from, lastValueFrom, of, throwError, toArray } from 'rxjs';
import { closeApps, startHybrid } from '../helpers/open-app.js';

afterEach(closeApps);

@Controller()
class Sums {
  @MessagePattern('sum')
  sum(@Payload() data: number[]): number {
    return data.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'async-sum' })
  async asyncSum(@Payload() data: number[]): Promise<number> {
    return this.sum(data);
  }

  @MessagePattern('stream-sum')
  stream(@Payload() data: number[]) {
    return of(this.sum(data));
  }

  @MessagePattern('each')
  each(@Payload() data: number[]) {
    return from(data);
  }

  @MessagePattern('empty')
  empty() {
    return EMPTY;
  }

  @MessagePattern('echo')
  echo(@Payload() data: unknown) {
    return data;
  }

  @MessagePattern('error')
  error() {
    throw new Error('secret');
  }

  @MessagePattern('rpc-error')
  rpcError() {
    return throwError(() => new RpcException({ code: 17 }));
  }
}

describe('Requests through the transport', () => {
  it.each(['sum', { cmd: 'async-sum' }, 'stream-sum'])('answer %p', async (pattern) => {
    const { client } = await startHybrid({ controllers: [Sums] });
    expect(await firstValueFrom(client.send(pattern, [1, 2, 3]))).toBe(6);
  });

  it('answer with every value of a stream', async () => {
    const { client } = await startHybrid({ controllers: [Sums] });
    expect(await lastValueFrom(client.send('each', [1, 2, 3]).pipe(toArray()))).toEqual([1, 2, 3]);
    expect(await lastValueFrom(client.send('empty', {}).pipe(toArray()))).toEqual([]);
  });

  it.each([0, '', false, [], 'x'])('answer the value %p as it is', async (value) => {
    const { client } = await startHybrid({ controllers: [Sums] });
    expect(await firstValueFrom(client.send('echo', value))).toEqual(value);
  });

  it('answer errors as the transports of Nest do', async () => {
    const { client } = await startHybrid({ controllers: [Sums] });
    await expect(firstValueFrom(client.send('error', {}))).rejects.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    await expect(firstValueFrom(client.send('rpc-error', {}))).rejects.toEqual({ code: 17 });
    await expect(firstValueFrom(client.send('nobody', {}))).rejects.toBe(
      'There is no matching message handler defined in the remote service.',
    );
  });
});
