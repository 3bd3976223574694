import type { Rivulet } from '../../core/rivulet.js';

export type ConnectionStatus = 'connected' | 'disconnected';

/** Tells about each change of the connection, and about the first connection. */
export function followStatus(rivulet: Rivulet, tell: (status: ConnectionStatus) => void): void {
  rivulet.events.on('connection', ({ state }) =>
    tell(state === 'ready' ? 'connected' : 'disconnected'),
  );
}
