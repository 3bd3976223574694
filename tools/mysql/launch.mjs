// What a private MariaDB and a private MySQL have in common.
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { startPrivateServer } from '../private-server.mjs';

const GRANTS = `CREATE USER IF NOT EXISTS 'rivulet'@'127.0.0.1';
GRANT ALL ON *.* TO 'rivulet'@'127.0.0.1' WITH GRANT OPTION;
`;

/**
 * Start a private server. It ends with this process, even after kill -9.
 *
 * @param name For errors.
 * @param makeData Called with { data, dir, user }: makes the system tables in the folder `data`; answers the command of a
 *   server that runs on them.
 * @param args More server arguments; they win over ours.
 */
export async function launchMysql({ name, env, makeData, args }) {
  // Neither runs as root; any other user will do, and need not exist.
  const user = process.getuid() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const urlAt = (port) => `mysql://rivulet@127.0.0.1:${port}/mysql`;
  const server = await startPrivateServer({
    name,
    env,
    user,
    isUp: (port) => answers(urlAt(port)),
    async prepare({ port, dir }) {
      const data = join(dir, 'data');
      mkdirSync(data);
      if (user.uid) chownSync(data, user.uid, user.gid);
      const command = await makeData({ data, dir, user });
      const grants = join(dir, 'grants.sql');
      writeFileSync(grants, GRANTS);
      return [
        ...[...command, `--port=${port}`, '--bind-address=127.0.0.1'],
        ...[`--socket=${join(dir, 'socket')}`, '--skip-name-resolve', `--init-file=${grants}`],
        ...args,
      ];
    },
  });
  return Object.assign(server, { url: urlAt(server.port) });
}

async function answers(uri) {
  try {
    const connection = await mysql.createConnection({ uri, connectTimeout: 500 });
    connection.destroy();
    return true;
  } catch {
    return false; // not yet
  }
}
