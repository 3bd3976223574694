import mongoose from 'mongoose';
import { whyItCannotDecide } from '../../../lib/participants/mongo/mongo-collections.js';
import { mongooseParticipant } from '../../../lib/participants/mongoose.js';

describe('what a server of MongoDB says of itself', () => {
  const primary = { setName: 'rs0', isWritablePrimary: true, maxWireVersion: 21 };

  it.each([
    ['a primary', primary],
    ['a router', { msg: 'isdbgrid', isWritablePrimary: true, maxWireVersion: 21 }],
  ])('is enough of %s', (_, hello) => {
    expect(whyItCannotDecide(hello)).toBeUndefined();
  });

  it.each([
    ['a standalone server', { ...primary, setName: undefined }, '--replSet'],
    ['a secondary', { ...primary, isWritablePrimary: false }, 'replicaSet='],
    ['an old server', { ...primary, maxWireVersion: 7 }, '4.2'],
  ])('is not enough of %s, with what to do', (_, hello, remedy) => {
    expect(whyItCannotDecide(hello as never)).toContain(remedy);
  });
});

describe('the participant of Mongoose', () => {
  const connection = mongoose.createConnection();

  it('refuses options that nobody knows', () => {
    const make = (): unknown => mongooseParticipant(connection, { nam: 'shop' } as never);
    expect(make).toThrow('unknown option "nam", did you mean "name"?');
  });

  it.each([
    [{ writeConcern: { w: 1 } }, 'writeConcern cannot be chosen'],
    [{ readConcern: { level: 'local' } }, 'readConcern cannot be chosen'],
    [{ maxAttempt: 3 }, 'did you mean "maxAttempts"?'],
    [{ maxAttempts: 0 }, 'maxAttempts must be an integer from 1, got: 0'],
  ])('refuses to begin with %j', async (options, why) => {
    const beginning = mongooseParticipant(connection).run(async () => 1, options as never);
    await expect(beginning).rejects.toThrow(why);
  });

  it('says what to do with a connection that was never opened', async () => {
    await expect(mongooseParticipant(connection).prepare()).rejects.toThrow('mongoose.connect()');
  });
});
