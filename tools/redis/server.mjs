// A private Redis.
import net from 'node:net';
import { join } from 'node:path';
import { startPrivateServer } from '../private-server.mjs';

export const PERSISTENCE = {
  none: ['--save', '', '--appendonly', 'no'],
  'aof-everysec': ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  'aof-always': ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
};

/**
 * Start a private server. RIVULET_REDIS_ARGS (JSON, an array) are arguments for all of them. It ends with this process, even after kill -9.
 *
 * @throws when the server refuses its arguments or does not answer in time; the message holds the end of its log.
 */
export async function startRedis(
  binary,
  { persistence = 'none', args = [], env = {}, through, socket } = {},
) {
  const server = await startPrivateServer({
    name: 'Redis',
    env: { ...binary.env, ...env },
    isUp: (port, dir) => ping(socket ? join(dir, socket) : port),
    prepare: async ({ port, dir }) => [
      ...((await through?.({ port, dir })) ?? []),
      binary.bin,
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...PERSISTENCE[persistence],
      ...(socket ? ['--unixsocket', socket] : []),
      ...JSON.parse(process.env.RIVULET_REDIS_ARGS ?? '[]'),
      ...(typeof args === 'function' ? args(port) : args),
    ],
  });
  return Object.assign(server, { url: `redis://127.0.0.1:${server.port}` });
}

/** @param where A port, or the path of a socket. Any reply but "loading" will do: a server that wants a password is up as well. */
export function ping(where) {
  const target = typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' };
  return new Promise((resolve) => {
    const socket = net.connect(target, () => socket.write('PING\r\n'));
    const settle = (isUp) => {
      resolve(isUp);
      socket.destroy();
    };
    socket.setTimeout(500, () => settle(false));
    socket.once('data', (reply) => settle(!reply.toString().startsWith('-LOADING')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
