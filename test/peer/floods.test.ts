/** Strangers who open connections to a peer port and say nothing keep no node from connecting (attack 33). */
import { type Socket, connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { PeerPort } from '../../src/peer/peer-port.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** More than there are places for, again as soon as they are ended, until it is stopped. */
class Flood {
  readonly #open = new Set<Socket>();
  #isOver = false;
  #done: Promise<void>;
  ended = 0;

  constructor(port: number, addresses: readonly string[]) {
    this.#done = this.#run(port, addresses);
  }

  get isFull(): boolean {
    return this.ended > limits.peerConnectionsUnprovenMax;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    for (const socket of this.#open) socket.destroy();
    await this.#done;
  }

  /** Bounded: some hundreds a second, for as long as a test may take. */
  async #run(port: number, addresses: readonly string[]): Promise<void> {
    for (let i = 0; i < 30_000 && !this.#isOver; i++) {
      if (this.#open.size >= 2 * limits.peerConnectionsUnprovenMax || i % 4 === 0) await pause(10);
      this.#connect(port, addresses[i % addresses.length]!);
    }
  }

  #connect(port: number, localAddress: string): void {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.ended++;
      this.#open.delete(socket);
    });
  }
}

const key = someKey();

async function openMember(node = someNode(), at = 0): Promise<{ port: PeerPort; heard: string[] }> {
  const listen = { host: '127.0.0.1', port: at };
  const port = await openPort(node, await sealed(key, node), { listen });
  const heard: string[] = [];
  port.start({
    linked: (peer) => void heard.push(`linked ${peer}`),
    unlinked: (peer) => void heard.push(`unlinked ${peer}`),
    received: () => undefined,
    packet: () => undefined,
    asked: (question) => question,
    pulse: () => undefined,
  });
  closers.push(() => port.stop());
  return { port, heard };
}

/** Where the system has more than one loopback address, as Linux does. */
const others = process.platform === 'linux';
const many = Array.from({ length: 200 }, (_, i) => `127.0.${1 + (i >> 6)}.${2 + (i & 63)}`);

test.each([
  ['from its own address', ['127.0.0.1'], true],
  ['from two hundred other addresses', many, others],
])('a node that was away comes back while strangers connect %s without end', async (_name, from, isThere) => {
  if (!isThere) return;
  const [victim, before] = [await openMember(), await openMember()];
  const id = before.port.own.node;
  const at = new Map([[victim.port.own.node, victim.port.own.address]]);
  before.port.keepLinks(at);
  victim.port.keepLinks(new Map([[id, before.port.own.address]]));
  await becomes(() => victim.heard.includes(`linked ${id}`));
  const { port: place } = before.port;
  before.port.stop();
  await becomes(() => victim.heard.includes(`unlinked ${id}`));
  victim.port.keepLinks(new Map());

  const flood = new Flood(victim.port.port, from);
  closers.push(() => flood.stop());
  await becomes(() => flood.isFull);
  const again = await openMember(id, place);
  again.port.keepLinks(at);
  await becomes(() => again.heard.length > 0 && victim.heard.at(-1) === `linked ${id}`);
  // And stays.
  const seen = flood.ended;
  await becomes(() => flood.ended > seen + limits.peerConnectionsUnprovenMax);
  expect(victim.heard.at(-1)).toBe(`linked ${id}`);
});

test('one that nobody knows yet comes in as well while strangers connect from everywhere', async () => {
  const victim = await openMember();
  const flood = new Flood(victim.port.port, others ? many : ['127.0.0.1']);
  closers.push(() => flood.stop());
  await becomes(() => flood.isFull);
  const node = await openMember();
  let answers = 0;
  for (let tries = 0; tries < 10 && answers === 0; tries++)
    await node.port.ask(victim.port.own.address, Uint8Array.of(1)).then(
      () => answers++,
      () => undefined,
    );
  expect(answers).toBe(1);
});
