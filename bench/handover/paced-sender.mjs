// Sends at a steady pace. Each message carries when its send was called.
import { nanoseconds, pace } from '../clock.mjs';

export async function sendPaced({ warmUp, messages, perSecond }, send) {
  const sends = [];
  await pace({ count: warmUp + messages, perSecond }, () => sends.push(send(nanoseconds())));
  await Promise.all(sends);
}
