/** The addresses of other nodes over a restart. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { KnownPeers, type KnownPeersParts, knownPeersFile } from '../../src/server/known-peers.js';
import { someNode } from '../peer/support.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ringlog-known-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A node that sees others, as the test says. */
function world() {
  const self = someNode();
  const seen = new Map<NodeId, string>();
  const learned: string[] = [];
  const members = new Set<NodeId>([self]);
  let due: (() => void) | undefined;
  const node = {
    status: () => ({ cluster: { members: [...seen].map(([id, address]) => ({ node: id, address })) } }),
    cluster: {
      ring: () => ({ members: [...members].map((id) => ({ node: id })) }),
      learn: (addresses: readonly string[]) => void learned.push(...addresses),
    },
  } as unknown as KnownPeersParts['node'];
  const timers = {
    after: (_delayMs: number, callback: () => void) => {
      due = callback;
      return () => (due = undefined);
    },
    soon: (callback: () => void) => callback(),
  };
  /** A look, until the next one is due. */
  const look = async (): Promise<void> => {
    const callback = due!;
    due = undefined;
    callback();
    await expect.poll(() => due !== undefined).toBe(true);
  };
  return {
    self,
    seen,
    members,
    learned,
    look,
    open: () => KnownPeers.open({ directory, self, node, timers }),
  };
}

const file = () => join(directory, knownPeersFile);
const kept = () => (JSON.parse(readFileSync(file(), 'utf8')) as { addresses: string[] }).addresses;

test('are those of the members of the ring, and tried at the next start', async () => {
  const { self, seen, members, look, open } = world();
  const first = await open();
  const [one, edge] = [someNode(), someNode()];
  seen.set(self, '10.0.0.1:7946').set(one, '10.0.0.2:7946').set(edge, '10.0.0.3:7946');
  members.add(one);
  await look();
  expect(kept()).toEqual(['10.0.0.2:7946']);
  // Alone again, it has learned nothing; and what is as before is not written again.
  seen.delete(one);
  await look();
  expect(kept()).toEqual(['10.0.0.2:7946']);
  rmSync(file());
  seen.set(one, '10.0.0.2:7946');
  await look();
  expect(() => readFileSync(file())).toThrow('ENOENT');
  seen.set(one, '10.0.0.9:7946');
  await look();
  expect(kept()).toEqual(['10.0.0.9:7946']);
  first.stop();

  const again = world();
  const second = await again.open();
  expect(again.learned).toEqual(['10.0.0.9:7946']);
  second.stop();
});

test.each(['', '{', '[]', '{"addresses":"10.0.0.2:7946"}', '{"addresses":[1,"nowhere","10.0.0.2:99999"]}'])(
  'in a file of %j are none',
  async (text) => {
    writeFileSync(file(), text);
    const { learned, open } = world();
    (await open()).stop();
    expect(learned).toEqual([]);
  },
);
