/** Stories about disks that are full, and about bytes that change by themselves. */
import { chanceFor } from '../chance.js';
import type { SimulatedNode } from '../node.js';
import { RawScan, lineageOf } from '../../checkers/raw-segments.js';
import { crc32 } from 'node:zlib';
import { rot } from '../rot.js';
import type { Story } from './story.js';

/** D9. One home's disk is full, space comes back, and the node goes on and is killed: what was acknowledged is there. */
export async function fullDisk(story: Story): Promise<void> {
  await story.begin();
  for (const node of [story.owner, story.others[0]!]) {
    const client = story.publisher(`at ${node.name}`, [node]);
    await story.published(client, 20);
    node.disk.capacityBytes = node.disk.usedBytes + 2_000;
    const tried = story.publish(client, 40);
    await story.pass(2_000);
    node.disk.capacityBytes = 1 << 30;
    await story.settled(tried);
    await story.until(() => node.state !== 'starting', 'the node is back, or down');
    if (node.state === 'down') await story.start(node);
    await story.published(client, 20);
    node.crash(true);
    await story.start(node);
    await story.published(client, 5);
  }
}

/** D10. One bit of a stored entry flips at one home while it runs: readers there get the entry, and the disk has it again. */
export async function rottenEntry(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  const acked = await story.published(story.publisher('p'), 30);
  await story.pass(1_500);
  flipEntry(story, home!, acked[10]!.dot!.seq);
  const reader = story.reader('r', [home!]);
  await story.until(() => story.had(reader) >= 31, 'the reader has all');
}

/** D10. The same while it is down, and it has lost its index too: what its log lacks is known of when it starts. */
export async function rottenWhileDown(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  const acked = await story.published(story.publisher('p'), 30);
  home!.crash(false);
  flipEntry(story, home!, acked[5]!.dot!.seq);
  flipEntry(story, home!, acked[20]!.dot!.seq);
  home!.index.drop();
  await story.start(home!);
  await story.published(story.publisher('q'), 10);
  const reader = story.reader('r', [home!]);
  await story.until(() => story.had(reader) >= 41, 'the reader has all');
}

/** D10. Rows of the index change: it is dropped and made anew from the segments, and nothing else is lost by that. */
export async function rottenIndex(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  await story.published(story.publisher('p'), 30);
  await story.pass(1_500);
  home!.crash(false);
  const random = chanceFor(1, 'index');
  for (let i = 0; i < 5; i++) rot(home!, 'index', random);
  home!.rotted('index');
  await story.start(home!);
  await story.published(story.publisher('q'), 10);
  const reader = story.reader('r', [home!]);
  await story.until(() => story.had(reader) >= 41, 'the reader has all');
}

/** D10. The file that says whose store it is changes: the segments say it too, and the node counts for nothing until it has
 *  heard from all others. */
export async function rottenIdentity(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  await story.published(story.publisher('p'), 20);
  home!.crash(false);
  for (const [path, inode] of home!.disk.names.files())
    if (path.endsWith('/store.json')) inode.corrupt((bytes) => (bytes[20]! ^= 4));
  home!.rotted('store.json');
  await story.start(home!);
  await story.published(story.publisher('q'), 10);
}

/** An entry that a home alone has changes there before anybody else has it: what comes behind it is not lost with it. */
export async function rottenAlone(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  story.split(story.nodes.filter((node) => node !== home));
  await story.pass(3_000);
  const client = story.publisher('p', [home!], { levels: ['owner'], degrade: true });
  const alone = await story.published(client, 10);
  await story.pass(1_500);
  flipEntry(story, home!, alone[4]!.dot!.seq, alone[4]!.dot!.writer);
  const there = await story.published(story.publisher('q', story.others), 5);
  story.mend();
  const reader = story.reader('r', [story.owner]);
  await story.until(
    () => story.had(reader) >= 1 + 9 + there.length,
    'all but one are with everybody',
    60_000,
  );
}

/** The same with the last entry before a start: what the next start wrote stands on it, and the entry that gives it up comes
 *  behind that. */
export async function rottenBeneath(story: Story): Promise<void> {
  await story.begin();
  const [home] = story.others;
  story.split(story.nodes.filter((node) => node !== home));
  await story.pass(3_000);
  const alone = { levels: ['owner'], degrade: true } as const;
  const before = await story.published(story.publisher('p', [home!], alone), 5);
  await story.pass(1_500);
  home!.crash(false);
  flipEntry(story, home!, before[4]!.dot!.seq, before[4]!.dot!.writer);
  await story.start(home!);
  const since = await story.published(story.publisher('q', [home!], alone), 3);
  story.must(since[0]!.dot!.writer !== before[4]!.dot!.writer, 'the next start writes under another name');
  story.mend();
  const reader = story.reader('r', [story.owner]);
  await story.until(() => story.had(reader) >= 1 + 4 + 3, 'all but one are with everybody', 60_000);
}

/** What the owner cannot read any more one home lacks and the other has, which is away: nothing is given up before that one
 *  is back and was asked. */
export async function rottenWhileAway(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b, c] = others;
  story.split([owner, b!]);
  const acked = await story.published(story.publisher('p', [owner]), 5);
  await story.pass(1_500);
  story.split([owner, c!]);
  flipEntry(story, owner, acked[1]!.dot!.seq);
  await story.pass(8_000);
  story.mend();
  await story.published(story.publisher('q'), 5);
  const reader = story.reader('r', [owner]);
  await story.until(() => story.had(reader) >= 11, 'the reader has all');
}

/** Flips a bit in the payload of an entry, of the story's channel unless another is named. */
export function flipEntry(
  story: Story,
  home: SimulatedNode,
  seq: number,
  writer?: string,
  channel = story.channel,
): void {
  const found = home.segmentFiles().flatMap((file) => {
    const scan = new RawScan(crc32(lineageOf(file) ?? ''), true);
    scan.file(file);
    return scan.records;
  });
  const record = found.find(
    (each) => each.seq === seq && each.channel.endsWith(channel) && (!writer || each.writer === writer),
  );
  story.must(record, 'the entry is stored');
  for (const [path, inode] of home.disk.names.files())
    if (path.endsWith(record!.file))
      inode.corrupt((bytes) => (bytes[record!.offset + record!.bytes.length - 3]! ^= 2));
  home.rotted(`entry ${seq}`);
}
