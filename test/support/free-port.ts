/** Ports of this machine for servers under test and under load. */
import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { projectRoot } from './project-root.js';

// Below the ports that systems give to outgoing connections: a client that keeps knocking on the port of a killed node
// may otherwise be given that very port, connect to itself, and keep the node from coming back. Ten thousand clients
// take many of those ports, too.
const portMin = 12_000;
const portMax = 32_000;
const triesMax = 50;

/** A file for each port that is given away, with the id of the process it was given to. Not among temporary files: programs under
 *  test have folders of their own for those, and are to leave nothing there. */
const folder = join(projectRoot(), 'node_modules/.cache/ringlog-test-ports');
const mine = new Set<string>();

/** Nobody uses it for TCP or UDP on loopback, and none who asks here gets it while this process lives: between the look
 *  and the start of the server there is time for others, and a cluster cannot be started again on another port. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (take(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found between ${portMin} and ${portMax}`);
}

function take(port: number): boolean {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, String(port));
  if (!note(path)) {
    if (isHeld(path)) return false;
    // Its process has ended.
    rmSync(path, { force: true });
    if (!note(path)) return false;
  }
  if (mine.size === 0) process.once('exit', giveBack);
  mine.add(path);
  return true;
}

function note(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function giveBack(): void {
  for (const path of mine) rmSync(path, { force: true });
}

function isHeld(path: string): boolean {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    // Between its making and its writing a file is empty.
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isFree(port: number): Promise<boolean> {
  return (await isFreeForTcp(port)) && (await isFreeForUdp(port));
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
