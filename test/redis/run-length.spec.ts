import { RunLength } from '../../lib/redis/run-length.js';

describe('RunLength', () => {
  const begin = (run: RunLength, count: number): void => {
    for (let i = 0; i < count; i++) run.begun();
  };

  it.each([
    [0, 16],
    [5, 16],
    [64, 64],
    [400, 100],
  ])('is, with %i begins under way, %i', (count, length) => {
    const run = new RunLength();
    begin(run, count);
    expect(run.value).toBe(length);
  });

  it('gets no shorter while as many are under way, however many runs leave', () => {
    const run = new RunLength();
    begin(run, 64);
    for (let i = 0; i < 20; i++) run.left();
    expect(run.value).toBe(64);
  });

  it('remembers for a while how many were under way', () => {
    const run = new RunLength();
    begin(run, 64);
    run.answered(32);
    run.left();
    begin(run, 32);
    expect(run.value).toBe(64);
    run.answered(64);
    for (let i = 0; i < 20; i++) run.left();
    expect(run.value).toBe(44);
    for (let i = 0; i < 100; i++) run.left();
    expect(run.value).toBe(16);
    begin(run, 30);
    expect(run.value).toBe(30);
  });
});
