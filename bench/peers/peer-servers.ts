/** Other systems, where their servers are installed: started as they are documented, and ended again. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from '../processes/child.js';
import { freePort } from '../../test/support/free-port.js';

export interface PeerServer {
  readonly pid: number;
  readonly url: string;
  /** As it says itself. */
  readonly version: string;
  stop(): Promise<void>;
}

export interface PeerPlace {
  readonly directory: string;
  readonly processor: number | undefined;
}

const readyLimitMs = 10_000;

/** Every append is synced before it is answered. Undefined when it is not installed. */
export async function startRedis({ directory, processor }: PeerPlace): Promise<PeerServer | undefined> {
  const version = versionOf('redis-server', /v=(\S+)/);
  if (version === undefined) return undefined;
  const path = join(directory, 'redis');
  mkdirSync(path);
  const port = await freePort();
  const settings = {
    '--bind': '127.0.0.1',
    '--port': String(port),
    '--dir': path,
    '--save': '',
    '--appendonly': 'yes',
    '--appendfsync': 'always',
    '--auto-aof-rewrite-percentage': '0',
  };
  const args = Object.entries(settings).flat();
  const child = new Child({ name: 'redis-server', command: 'redis-server', args, processor });
  return serving(child, port, { url: `tcp://127.0.0.1:${port}`, version });
}

/** Core NATS, which stores nothing, over WebSocket. Undefined when it is not installed. */
export async function startNats({ directory, processor }: PeerPlace): Promise<PeerServer | undefined> {
  const version = versionOf('nats-server', /v(\S+)/);
  if (version === undefined) return undefined;
  const [port, webSocketPort] = [await freePort(), await freePort()];
  const file = join(directory, 'nats.conf');
  writeFileSync(
    file,
    `listen: "127.0.0.1:${port}"\nwebsocket { listen: "127.0.0.1:${webSocketPort}", no_tls: true, compression: false }\n`,
  );
  const child = new Child({ name: 'nats-server', command: 'nats-server', args: ['-c', file], processor });
  return serving(child, webSocketPort, { url: `ws://127.0.0.1:${webSocketPort}/`, version });
}

function versionOf(program: string, pattern: RegExp): string | undefined {
  try {
    const said = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return pattern.exec(said)?.[1] ?? 'unknown';
  } catch {
    return undefined;
  }
}

async function serving(
  child: Child,
  port: number,
  { url, version }: Pick<PeerServer, 'url' | 'version'>,
): Promise<PeerServer> {
  const deadline = performance.now() + readyLimitMs;
  while (!(await accepts(port))) {
    if (!child.isRunning || performance.now() > deadline) {
      await child.kill();
      throw new Error(`${child.name} does not serve:\n${child.output}`);
    }
    await pause(20);
  }
  return { pid: child.pid, url, version, stop: () => child.kill() };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
