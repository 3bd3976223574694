import { InvalidOptionsError } from '../message/errors.js';
import { suggestion } from '../message/options.js';
import type { HalfOwner } from './half-owner.js';
import type { TransactionParticipant } from './participant.js';

type DatabaseOwner = HalfOwner & { kind: 'database' };

/** The databases of an application by their names, made ready when they are first needed. */
export class Participants {
  private readonly all: readonly TransactionParticipant[];
  private readonly createTables: boolean;
  private readonly preparing = new Map<TransactionParticipant, Promise<DatabaseOwner>>();
  private readonly owners = new Map<TransactionParticipant, DatabaseOwner>();

  constructor(options: { participants: readonly TransactionParticipant[]; createTables: boolean }) {
    this.all = options.participants;
    this.createTables = options.createTables;
  }

  list(): readonly TransactionParticipant[] {
    return this.all;
  }

  /**
   * The one with this name; without a name the only one, or the one that is called "default".
   *
   * @throws InvalidOptionsError when there is none.
   */
  get(name?: string): TransactionParticipant {
    const wanted = name ?? (this.all.length === 1 ? this.all[0]!.name : 'default');
    const found = this.all.find((participant) => participant.name === wanted);
    if (found) return found;
    const names = this.all.map((participant) => participant.name);
    if (names.length === 0)
      throw new InvalidOptionsError('Transaction', [
        'no database takes part: give the module transactions: { participants: [pgParticipant(pool)] }, or use @Transactional({ name, topic, message }) without a database',
      ]);
    throw new InvalidOptionsError('Transaction', [
      name === undefined
        ? `several databases take part (${names.join(', ')}): say which, { participant: "${names[0]}" }`
        : `no participant is named "${name}"${suggestion(name, names)}`,
    ]);
  }

  /** Its tables are there. @returns the id of the database. A failure is tried again with the next call. */
  async ready(participant: TransactionParticipant): Promise<string> {
    return (await this.owner(participant)).database;
  }

  /** Without waiting: undefined until it was ready once. */
  known(participant: TransactionParticipant): DatabaseOwner | undefined {
    return this.owners.get(participant);
  }

  /** Who decides about its half messages: one object for as long as the process lives. As `ready`. */
  owner(participant: TransactionParticipant): Promise<DatabaseOwner> {
    const known = this.preparing.get(participant);
    if (known) return known;
    const preparing = this.prepare(participant).catch((error: unknown) => {
      this.preparing.delete(participant);
      throw error;
    });
    this.preparing.set(participant, preparing);
    return preparing;
  }

  /** @throws Error naming the participant that is not ready. */
  async allReady(): Promise<void> {
    await Promise.all(
      this.all.map(async (participant) => {
        try {
          await this.ready(participant);
        } catch (error) {
          throw new Error(
            `Participant "${participant.name}" is not ready for transactions: ${(error as Error).message}. ` +
              'Is the database up? Without the right to create tables set transactions.createTables to false and make them from schema().',
            { cause: error },
          );
        }
      }),
    );
  }

  private async prepare(participant: TransactionParticipant): Promise<DatabaseOwner> {
    if (this.createTables) await participant.prepare();
    const database = await participant.identity();
    const owner: DatabaseOwner = { kind: 'database', database, name: participant.name };
    this.owners.set(participant, owner);
    return owner;
  }
}
