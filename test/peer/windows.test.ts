/** Letters larger than what may be on its way at once. */
import { afterEach, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { Security } from '../../src/peer/security.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const key = someKey();

async function open(secure: (node: ReturnType<typeof someNode>) => Promise<Security>) {
  const node = someNode();
  const port = await openPort(node, await secure(node));
  closers.push(() => port.stop());
  const received: number[] = [];
  const linked = new Set<string>();
  const broken: string[] = [];
  port.start({
    linked: (peer) => void linked.add(peer),
    unlinked: (peer) => void broken.push(peer),
    received: (_peer, letter) => void received.push(letter.length),
    packet: () => undefined,
    asked: (question) => question,
    pulse: () => undefined,
  });
  return { port, received, linked, broken };
}

test.each<[string, Parameters<typeof open>[0]]>([
  ['a plain', async () => ({ kind: 'plain' })],
  ['a sealed', (node) => sealed(key, node)],
])('two nodes fill %s link both ways at once, and each letter comes', async (_name, secure) => {
  const [one, two] = [await open(secure), await open(secure)];
  const [at, to] = [one.port.own, two.port.own];
  one.port.keepLinks(new Map([[to.node, to.address]]));
  two.port.keepLinks(new Map([[at.node, at.address]]));
  await becomes(() => one.linked.size === 1 && two.linked.size === 1);
  const lengths = [3 * limits.peerWindowBytes, ...Array<number>(16).fill(limits.peerLetterBytes)];
  for (const length of lengths) {
    one.port.send(to.node, new Uint8Array(length));
    two.port.send(at.node, new Uint8Array(length));
  }
  const all = lengths.length;
  await becomes(() => one.received.length === all && two.received.length === all);
  expect([one.received, two.received]).toEqual([lengths, lengths]);
  expect([...one.broken, ...two.broken]).toEqual([]);
});
