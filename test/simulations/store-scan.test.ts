/** The scanner of segment files on the files of a real node, whole and with faults planted in them. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ledger } from '../../simulations/checkers/ledger.js';
import { StoreCheck } from '../../simulations/checkers/store-check.js';
import { StoreScan } from '../../simulations/checkers/store-scan.js';
import { Violations, violationKinds } from '../../simulations/checkers/violations.js';
import { dotOfId } from '../../simulations/clients/publisher.js';
import { NodeProcess } from '../support/node-process.js';

const hub = 'default';
const channel = 'irc:ubuntu';
const commits = 12;
const linesPerCommit = 3;
const commitHeaderBytes = 64;

const ledger = new Ledger();
let folder: string;

/** Publishes batch by batch, so that there are several commits, each acknowledged. */
async function publish(node: NodeProcess): Promise<void> {
  for (let i = 0; i < commits; i++) {
    const lines = Array.from({ length: linesPerCommit }, () => ledger.publish(channel, 'nick'));
    const messages = lines.map((line) => ({ channel, data: { line, text: `said ${'x'.repeat(line)}` } }));
    lines.forEach((line, k) => ledger.sent(line, Buffer.from(JSON.stringify(messages[k]!.data))));
    const response = await fetch(`${node.url}/v1/hubs/${hub}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    });
    const { results } = (await response.json()) as { results: { id: string }[] };
    lines.forEach((line, k) => ledger.ack(line, dotOfId(results[k]!.id)));
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-scan-'));
  const node = await NodeProcess.start();
  try {
    await publish(node);
    await node.stop();
    cpSync(node.segmentsPath, join(folder, 'whole'), { recursive: true });
  } finally {
    await node.remove();
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Judges a copy of the store after `plant` has changed its one segment. */
function judged(name: string, plant: (segment: Buffer) => void) {
  const copy = join(folder, name);
  cpSync(join(folder, 'whole'), copy, { recursive: true });
  const [first] = readdirSync(copy).sort();
  const path = join(copy, first!);
  const segment = readFileSync(path);
  plant(segment);
  writeFileSync(path, segment);
  const violations = new Violations();
  const scan = new StoreScan(copy);
  new StoreCheck(ledger, violations).run(scan, hub);
  const counts = violationKinds.map((kind) => [kind, violations.count(kind)] as const);
  return { totals: scan.totals, counts: Object.fromEntries(counts.filter(([, count]) => count > 0)) };
}

/** Where the commits with entries lie. */
function commitsOf(segment: Buffer): { start: number; end: number }[] {
  const found = [];
  for (let at = segment.indexOf('RLC1'); at >= 0; at = segment.indexOf('RLC1', at + 1)) {
    const length = commitHeaderBytes + segment.readUInt32LE(at + 12) + segment.readUInt32LE(at + 16);
    const end = at + Math.ceil(length / commitHeaderBytes) * commitHeaderBytes;
    if (segment.readUInt32LE(at + 24) > 0) found.push({ start: at, end });
  }
  return found;
}

/** A commit header that was changed gets the checksum that fits. */
function sumHeader(segment: Buffer, at: number): void {
  const lineage = segment.toString('hex', 16, 32);
  segment.writeUInt32LE(crc32(segment.subarray(at + 8, at + commitHeaderBytes), crc32(lineage)), at + 4);
}

describe('the scan of a store', () => {
  test('finds every acknowledged line of a whole one, and nothing wrong', () => {
    const { totals, counts } = judged('same', () => {});
    expect(counts).toEqual({});
    expect(totals.records).toBe(commits * linesPerCommit);
    expect(totals.commits).toBeGreaterThanOrEqual(commits);
  });

  test('reports the lines of a commit that never reached the disk, as when acks come before the sync', () => {
    const { counts } = judged('unsynced', (segment) => {
      const last = commitsOf(segment).at(-1)!;
      segment.fill(0, last.start);
    });
    expect(counts).toEqual({ lost: linesPerCommit });
  });

  test('reports a commit missing between others', () => {
    const { counts } = judged('hole', (segment) => {
      const { start, end } = commitsOf(segment)[5]!;
      segment.fill(0, start, end);
    });
    expect(counts['lost']).toBe((commits - 5) * linesPerCommit);
    expect(counts['damaged']).toBeGreaterThan(0);
  });

  test('reports records that are there twice, although every checksum fits', () => {
    const { counts } = judged('doubled', (segment) => {
      const { start, end } = commitsOf(segment).at(-1)!;
      segment.copy(segment, end, start, end);
      const [number, arrival] = [segment.readUInt32LE(start + 32), segment.readUInt32LE(start + 40)];
      segment.writeUInt32LE(number + 1, end + 32);
      segment.writeUInt32LE(arrival + linesPerCommit, end + 40);
      segment.writeUInt32LE(end, end + 52);
      sumHeader(segment, end);
    });
    expect(counts['doubled']).toBeGreaterThanOrEqual(linesPerCommit);
  });

  test('reports a flipped bit in what was said', () => {
    const { counts } = judged('flipped', (segment) => {
      const at = segment.indexOf('said');
      segment[at] = segment[at]! ^ 1;
    });
    expect(counts['altered']).toBe(1);
    // The record's own checksum and its run's.
    expect(counts['damaged']).toBe(2);
  });

  test('reports a commit that stands where another belongs', () => {
    const { counts } = judged('strayed', (segment) => {
      const { start } = commitsOf(segment)[3]!;
      segment.writeUInt32LE(segment.readUInt32LE(start + 32) + 7, start + 32);
      sumHeader(segment, start);
    });
    expect(counts['damaged']).toBeGreaterThan(0);
  });

  test('reports a segment whose header cannot be read', () => {
    const { counts } = judged('headless', (segment) => void segment.fill(0xff, 8, 12));
    expect(counts).toEqual({ lost: commits * linesPerCommit, damaged: 1 });
  });
});
