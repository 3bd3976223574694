// Redis holds no body that can be read without its key, and a new key can come while old messages wait.
import 'reflect-metadata';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { type Codec, MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

const AES = 'aes-256-gcm';
const keys = new Map(['2025', '2026'].map((id) => [id, randomBytes(32)]));
let newest = '2025';

/** Key id (4 bytes, authenticated), nonce (12), tag (16), and the JSON, encrypted. */
const encrypted: Codec = {
  name: AES,
  takesBytes: true, // or bodies of bytes would travel as they are
  encode(body) {
    if (body instanceof Uint8Array) throw new TypeError('Send bytes as base64');
    const [keyId, nonce] = [Buffer.from(newest), randomBytes(12)];
    const cipher = createCipheriv(AES, keys.get(newest)!, nonce).setAAD(keyId);
    const sealed = Buffer.concat([cipher.update(JSON.stringify(body)), cipher.final()]);
    return Buffer.concat([keyId, nonce, cipher.getAuthTag(), sealed]);
  },
  decode(bytes) {
    const keyId = bytes.subarray(0, 4);
    const key = keys.get(keyId.toString());
    if (!key) throw new Error(`Key ${keyId.toString('hex')} is not known here`); // a dead letter
    const decipher = createDecipheriv(AES, key, bytes.subarray(4, 16)).setAAD(keyId);
    decipher.setAuthTag(bytes.subarray(16, 32));
    return JSON.parse(decipher.update(bytes.subarray(32), undefined, 'utf8') + decipher.final());
  },
};

let noteBoth = (): void => {};
const both = new Promise<void>((resolve) => (noteBoth = resolve));

class Mail {
  @Subscribe('letters', { group: 'mail', ordered: true })
  read(@Payload() { text, last }: { text: string; last: boolean }): void {
    console.log('read:', text);
    if (last) noteBoth();
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const rivulet = RivuletModule.forRoot({ connection, namespace: 'encrypted', codec: encrypted });
@Module({ imports: [rivulet], providers: [Mail] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const producer = app.get(MessageProducer);
const first = producer.send('letters', { text: 'with the old key' }, { messageGroup: 'a' });
newest = '2026';
await producer.send('letters', { text: 'with the new key', last: true }, { messageGroup: 'a' });
await Promise.all([first, both]);
await app.close();
