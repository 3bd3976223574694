// A private Redis.
import net from 'node:net';
import { startPrivateServer } from '../private-server.mjs';

export const PERSISTENCE = {
  none: ['--save', '', '--appendonly', 'no'],
  'aof-everysec': ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  'aof-always': ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
};

/**
 * Start a private server. It ends with this process, even after kill -9.
 *
 * @throws when the server refuses its arguments or does not answer in time; the message holds the end of its log.
 */
export async function startRedis(binary, { persistence = 'none', args = [] } = {}) {
  const server = await startPrivateServer({
    name: 'Redis',
    env: binary.env,
    isUp: ping,
    prepare: ({ port, dir }) => [
      binary.bin,
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...PERSISTENCE[persistence],
      ...args,
    ],
  });
  return Object.assign(server, { url: `redis://127.0.0.1:${server.port}` });
}

/** Any reply but "loading" will do: a server that wants a password is up as well. */
export function ping(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
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
