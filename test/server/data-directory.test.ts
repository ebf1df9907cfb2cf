import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { noteMember, openDataDirectory } from '../../src/server/data-directory.js';
import { tokenVerifier } from '../../src/server/tokens.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ringlog-data-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const random = seededRandom(7);
const openAt = (path: string) => openDataDirectory(path, random);
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('a data directory', () => {
  test('is made at the first start, for its owner only, and is the same ever after', async () => {
    const path = join(folder, 'deep', 'data');
    const first = await openAt(path);
    expect(first).toMatchObject({ isNew: true, path, storePath: join(path, 'store'), warnings: [] });
    expect(first.nodeId).toMatch(/^[0-9a-f]{32}$/);
    expect(first.adminToken.length).toBeGreaterThan(40);
    expect([modeOf(path), modeOf(join(path, 'admin-token')), modeOf(join(path, 'node.json'))]).toEqual([
      '700',
      '600',
      '600',
    ]);
    const second = await openAt(path);
    expect(second).toEqual({ ...first, isNew: false, isTokenNew: false });
  });

  test('that holds data is not that of an edge node', async () => {
    const core = join(folder, 'core');
    await openAt(core);
    mkdirSync(join(core, 'store'));
    await expect(openDataDirectory(core, random, 'edge')).rejects.toThrow('holds the data of a core node');
    await openDataDirectory(join(folder, 'edge'), random, 'edge');
  });

  test('of a member whose store is gone is that of a new node', async () => {
    const first = await openAt(folder);
    expect(first.isMember).toBe(false);
    await noteMember(folder);
    mkdirSync(join(folder, 'store'));
    expect(await openAt(folder)).toMatchObject({ isMember: true, nodeId: first.nodeId, warnings: [] });
    rmSync(join(folder, 'store'), { recursive: true });
    const anew = await openAt(folder);
    expect(anew.isMember).toBe(false);
    expect(anew.nodeId).not.toBe(first.nodeId);
    expect(anew.warnings.join()).toContain(first.nodeId);
    expect(await openAt(folder)).toMatchObject({ nodeId: anew.nodeId, warnings: [] });
  });

  test('that others could read is closed, and told', async () => {
    await openAt(folder);
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'admin-token'), 0o644);
    const { warnings } = await openAt(folder);
    expect(warnings.length).toBe(2);
    expect([modeOf(folder), modeOf(join(folder, 'admin-token'))]).toEqual(['700', '600']);
  });

  test('without its token gets a new one; the node stays the same', async () => {
    const first = await openAt(folder);
    rmSync(join(folder, 'admin-token'));
    const second = await openAt(folder);
    expect(second).toMatchObject({ nodeId: first.nodeId, isNew: false, isTokenNew: true });
    expect(second.adminToken).not.toBe(first.adminToken);
    expect(readFileSync(join(folder, 'admin-token'), 'utf8').trim()).toBe(second.adminToken);
  });

  test("is not made of somebody's folder", async () => {
    writeFileSync(join(folder, 'thesis.txt'), 'x');
    await expect(openAt(folder)).rejects.toThrow('not empty');
    expect(modeOf(folder)).toBe('700');
  });

  test('may be a fresh mount, or one whose first start was cut short', async () => {
    mkdirSync(join(folder, 'lost+found'));
    writeFileSync(join(folder, 'node.json.tmp'), '{');
    expect((await openAt(folder)).isNew).toBe(true);
  });

  test.each([
    ['{"format":1,"nodeId":"x"}', 'damaged'],
    ['no json', 'damaged'],
    ['{"format":2,"nodeId":"x"}', 'newer version'],
  ])('with node.json %s is refused', async (text, sentence) => {
    writeFileSync(join(folder, 'node.json'), text);
    await expect(openAt(folder)).rejects.toThrow(sentence);
  });

  test('with a store of an unknown node is refused', async () => {
    mkdirSync(join(folder, 'store'));
    await expect(openAt(folder)).rejects.toThrow('which node');
  });
});

test('attack 27: only the whole token is the administrator', () => {
  const verify = tokenVerifier('ringlog-admin-abc');
  expect(verify('ringlog-admin-abc')).toEqual({ actor: '$admin', authenticated: true, admin: true });
  for (const token of ['', 'ringlog-admin-ab', 'ringlog-admin-abcd', 'Ringlog-admin-abc'])
    expect(verify(token)).toBeUndefined();
});
