import type { Connection, mongo } from 'mongoose';
import { WrongDatabaseError } from '../../core/transaction/participant-errors.js';

export interface VerdictDocument {
  _id: Buffer;
  /** `C`ommitted or `R`olled back; `late` is never committed. */
  v: 'C' | 'R' | 'late';
}

export interface OutboxDocument {
  _id: Buffer;
  bytes: Buffer;
  /** Of `bytes`: known without reading them. */
  size: number;
  /** A relay has it until then, by the clock of the server. */
  heldUntil: Date;
  /** Which relay. */
  holder?: string;
}

export interface InboxDocument {
  _id: Buffer;
  at: Date;
}

/** `identity`: a text. `purged_before`: Unix ms. */
export interface MetaDocument {
  _id: 'identity' | 'purged_before';
  value: string | number;
}

export const COLLECTIONS = ['rivulet_tx', 'rivulet_outbox', 'rivulet_inbox', 'rivulet_meta'];

/** A write that is acknowledged so is not undone by a failover. One that cannot be had is given up, as unknown. */
export const MAJORITY = { writeConcern: { w: 'majority', wtimeoutMS: 10_000 } } as const;
/** Nothing that a failover may undo is read, and bytes come as a Buffer. */
export const DURABLE = {
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  promoteBuffers: true,
} as const;

/** Our collections, in the database of a connection. */
export class MongoSite {
  constructor(
    readonly participant: string,
    private readonly connection: Connection,
  ) {}

  /** Waits for a connection that is being opened. @throws WrongDatabaseError for one that never was. */
  async db(): Promise<mongo.Db> {
    await this.connection.asPromise();
    const { db } = this.connection;
    if (db) return db as mongo.Db;
    throw new WrongDatabaseError(
      this.participant,
      'has a connection of Mongoose that was never opened. Await mongoose.connect() or createConnection().asPromise() first.',
    );
  }

  async verdicts(): Promise<mongo.Collection<VerdictDocument>> {
    return (await this.db()).collection('rivulet_tx');
  }

  async outbox(): Promise<mongo.Collection<OutboxDocument>> {
    return (await this.db()).collection('rivulet_outbox');
  }

  async inbox(): Promise<mongo.Collection<InboxDocument>> {
    return (await this.db()).collection('rivulet_inbox');
  }

  async meta(): Promise<mongo.Collection<MetaDocument>> {
    return (await this.db()).collection('rivulet_meta');
  }
}
