/** What changed a document between two places, as the SDK lists it; beside what the node says over HTTP. */
import { expect, test } from 'vitest';
import { changesOf } from '../../src/client/documents-entry.js';
import type { Client } from '../../src/client/index.js';
import { listAt, message } from './document-world.js';
import { connected, start } from './real-nodes.js';

async function listed(...asked: Parameters<typeof changesOf>) {
  const all = [];
  for await (const change of changesOf(...asked)) all.push(change);
  return all;
}

test('between two places it is what came between, as the node lists it over HTTP', async () => {
  const node = await start();
  const client = connected(node.url);
  const cursors: string[] = [];
  for (let n = 0; n < 6; n++) {
    await client.patch('doc:n', [{ op: 'add', path: '/n', value: n }]);
    await client.publish('doc:n', 'no patch');
    cursors.push((await client.document('doc:n')).cursor);
  }
  const [since, until] = [cursors[1]!, cursors[4]!];
  const between = await listed(client, 'doc:n', { since, until });
  expect(between.map(({ version, patch }) => [version, patch])).toEqual(
    [2, 3, 4].map((value) => [value + 1, [{ op: 'add', path: '/n', value }]]),
  );
  const path = `/v1/hubs/default/channels/doc:n/document/changes?since=${since}&until=${until}`;
  const told = (await (await fetch(node.url + path)).json()) as {
    changes: { id: string; version: number }[];
  };
  expect(between.map(({ id, version }) => ({ id, version }))).toEqual(
    told.changes.map(({ id, version }) => ({ id, version })),
  );
  expect((await listed(client, 'doc:n', { since: cursors[3]! })).map(({ version }) => version)).toEqual([
    5, 6,
  ]);
  expect(await listed(client, 'doc:n', { since: cursors[5]! })).toEqual([]);
  expect((await listed(client, 'doc:n', { since: 0, until: Date.now() + 60_000 })).length).toBe(6);
  // At the earliest time there is it is what it began as, and not what it is now.
  expect((await client.document('doc:n', { at: 0 })).version).toBe(0);
});

/** Answers by hand: a document with one change, then with those of a page. */
function told(page: object, version: number, voids: number): Client {
  return {
    document: (_: string, { at }: { at?: string }) =>
      Promise.resolve(at === 'then' ? listAt(1, 0, 1) : listAt(version, voids)),
    history: () => ({ more: true, page: () => Promise.resolve({ gaps: [], ...page }) }),
  } as unknown as Client;
}

test('a void change is listed with its reason, and what came behind the end is not', async () => {
  const entries = [
    message(1, '0', 'a', { operations: [{ op: 'remove', path: '/7' }] }),
    message(2, '0', 'b'),
    message(3, '0', 'c'),
  ];
  const changes = await listed(told({ entries }, 2, 1), 'doc:list', { since: 'then' });
  expect(changes.map(({ version, void: reason }) => [version, reason?.reason, reason?.operation])).toEqual([
    [1, 'not-found', 0],
    [2, undefined, undefined],
  ]);
});

test('where retention has removed what is between, that is an error', async () => {
  const client = told({ entries: [], gaps: [{ reason: 'trimmed', ranges: [] }] }, 9, 0);
  await expect(listed(client, 'doc:list', { since: 'then' })).rejects.toMatchObject({ code: 'GAP' });
});
