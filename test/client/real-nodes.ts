/** Real nodes, and clients of them over real sockets, which end with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { type Client, type ConnectOptions, connect } from '../../src/client/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';

const folders: string[] = [];
const servers = new Set<RunningServer>();
const clients = new Set<Client>();

afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close({ timeoutMs: 0 })));
  await Promise.all([...servers].map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  clients.clear();
  servers.clear();
});

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-client-'));
  folders.push(folder);
  return folder;
}

export async function start(
  data = newFolder(),
  listen = '127.0.0.1:0',
  settings: object = {},
): Promise<RunningServer> {
  const server = await startServer({ data, listen, ...settings });
  servers.add(server);
  return server;
}

export function connected(options: string | ConnectOptions): Client {
  const client = connect(options);
  clients.add(client);
  return client;
}
