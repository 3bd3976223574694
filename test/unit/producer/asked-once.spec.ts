import { AskedOnce } from '../../../lib/core/producer/asked-once.js';

describe('requests with a dedup id that this process has sent', () => {
  it('takes what it has forgotten for not answered', () => {
    const asked = new AskedOnce({ least: 2 });
    for (const id of ['1', '2', '3', '4']) {
      asked.sent(id);
      asked.answered(id);
    }
    expect(asked.problem('orders', '1')).toBeUndefined();
    expect(asked.problem('orders', '3')).toMatchObject({ code: 'DUPLICATE_REQUEST' });
    expect(asked.problem('orders', '4')).toMatchObject({ code: 'DUPLICATE_REQUEST' });
  });
});
