// No body in Redis can be read without its key, or moved to another message; a new key can come while old messages wait.
import 'reflect-metadata';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import type { Codec, CodecContext } from 'nestjs-rivulet';
import { MessageProducer, RivuletModule, Subscribe } from 'nestjs-rivulet';

const AES = 'aes-256-gcm';
const keys = new Map(['2025', '2026'].map((id) => [id, randomBytes(32)]));
let newest = '2025';

/** What is authenticated and not encrypted: the key id, and whose body it is. */
const boundTo = (keyId: string, whose: CodecContext): Buffer =>
  Buffer.from(whose.kind === 'message' ? `${keyId} ${whose.topic} ${whose.messageId}` : keyId);

/** Key id (4 bytes), nonce (12), tag (16), and the JSON, encrypted. */
const encrypted: Codec = {
  name: AES,
  takesBytes: true, // or bodies of bytes would travel as they are
  encode(body, whose) {
    if (body instanceof Uint8Array) throw new TypeError('Send bytes as base64');
    const nonce = randomBytes(12);
    const cipher = createCipheriv(AES, keys.get(newest)!, nonce).setAAD(boundTo(newest, whose));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(body)), cipher.final()]);
    return Buffer.concat([Buffer.from(newest), nonce, cipher.getAuthTag(), sealed]);
  },
  decode(bytes, whose) {
    const keyId = bytes.toString('utf8', 0, 4);
    const key = keys.get(keyId);
    if (!key) throw new Error(`No key ${keyId} is known here`); // a dead letter
    const decipher = createDecipheriv(AES, key, bytes.subarray(4, 16));
    decipher.setAAD(boundTo(keyId, whose)).setAuthTag(bytes.subarray(16, 32));
    return JSON.parse(decipher.update(bytes.subarray(32), undefined, 'utf8') + decipher.final());
  },
};

class Mail {
  @Subscribe('letters', { group: 'mail', ordered: true })
  read(@Payload() text: string): void {
    console.log('read:', text);
  }
}

const connection = process.env.REDIS_URL ?? 'redis://localhost:6379';
const rivulet = RivuletModule.forRoot({ connection, namespace: 'encrypted', codec: encrypted });
@Module({ imports: [rivulet], providers: [Mail] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const producer = app.get(MessageProducer);
await producer.send('letters', 'with the old key', { messageGroup: 'a' });
newest = '2026';
// Resolves when it was handled, and so was what came before it.
const receipt = { groups: ['mail'], timeoutMs: 10_000 };
await producer.send('letters', 'with the new key', { messageGroup: 'a', receipt });
await app.close();
