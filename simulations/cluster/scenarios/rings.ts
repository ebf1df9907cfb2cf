/** Stories of rings that change while entries are written. */
import type { SimulatedNode } from '../node.js';
import type { Publish } from '../record.js';
import type { Story } from './story.js';

/** D15. A node joins on the side of a majority of five, while two homes of a channel go by the ring of before and acknowledge at
 *  quorum; the other side does so in another channel, by the ring that changes. Then the two part: whoever claims next, by
 *  whichever version, knows of all of it. */
export async function viewSplit(story: Story): Promise<void> {
  const members = story.firstMembers;
  const newcomer = story.nodes.find(({ isSpare }) => isSpare)!;
  await story.begin();
  const { owner, others } = story;
  const [b] = others;
  // What is acknowledged before it is stored is seen to be so.
  for (const { disk } of story.nodes) disk.latencyMsMax = 20;
  const older = [owner, b!];
  const newer = members.filter((node) => !older.includes(node));
  const there = channelAt(story, newer);
  const reader = story.reader('r');
  story.split(older, [...newer, newcomer]);
  await story.pass(3_000);
  story.join(newcomer, newer[0]!);
  await story.until(() => newer.every((node) => versionAt(node) > 1), 'one side has a later ring', 5_000);
  const before = await acked(story, 'before', older, story.channel);
  const after = await acked(story, 'after', newer, there);
  story.must(
    older.every((node) => versionAt(node) === 1) && newer.every((node) => versionAt(node) > 1),
    'each side goes by its own version',
  );
  story.must(
    [...before, ...after].every(({ reached }) => reached === 'quorum'),
    'both sides acknowledge at quorum',
  );
  // The owner alone keeps to the old ring: the other home tells the new side what it acknowledged.
  story.split([owner], [b!, ...newer, newcomer]);
  await acked(story, 'between', [b!, ...newer], story.channel);
  story.must(versionAt(owner) === 1, 'the first owner has heard of nothing');
  story.mend();
  await acked(story, 'later', [owner], story.channel);
  await acked(story, 'later there', older, there);
  const expected = before.length + 2 * perSide + 1;
  await story.until(() => story.had(reader) >= expected, 'the reader has all');
}

const perSide = 5;

async function acked(
  story: Story,
  name: string,
  nodes: readonly SimulatedNode[],
  channel: string,
): Promise<Publish[]> {
  const publisher = story.publisher(name, nodes, { channels: [channel] });
  return await story.published(publisher, perSide, channel);
}

/** One more channel, of which most homes are among these. */
function channelAt(story: Story, nodes: readonly SimulatedNode[]): string {
  for (let i = 2; i < 100; i++) {
    const channel = `room:${i}`;
    if (story.homesOf(channel).filter((home) => nodes.includes(home)).length < 3) continue;
    story.also(channel);
    return channel;
  }
  throw new Error('no channel has its homes there');
}

function versionAt({ engine }: SimulatedNode): number {
  return engine!.cluster!.ring().version;
}

/** F10 at its smallest: the one home of a channel is replaced by another, while it is written to. Its disk is slow, so it goes by
 *  the ring of before for a while after the other one owns. What it acknowledges until then the other one has. */
export async function replacedWhileWritten(story: Story): Promise<void> {
  const [first, second] = story.nodes;
  await story.start(first!);
  await story.published(story.publisher('p', [first!], { payloadBytesMax: 20_000 }), 200);
  await story.start(second!);
  const writing = story.plain('q', [first!], 100);
  await story.pass(500);
  first!.disk.latencyMsMax = 100;
  first!.disk.isLate = true;
  story.change(first!, { kind: 'replace', node: first!.id, by: { node: second!.id, role: 'core' } });
  await story.ringOf(second!);
  await story.published(story.publisher('r', [second!]), 3);
  writing.stop();
}

/** F10. While both rings decide, the home that comes in is whole and the end of the change waits for the disk of the one that
 *  leaves, what the owner writes reaches only the homes of before. Then the owner dies, and the one that came in goes on alone. */
export async function writtenBetweenRings(story: Story): Promise<void> {
  await story.start(...story.firstMembers);
  const client = story.publisher('p', story.firstMembers, { timeoutMs: 5_000 });
  await story.published(client, 5);
  const { owner } = story;
  const [leaving] = story.others;
  const coming = story.nodes.find(({ isSpare }) => isSpare)!;
  await story.start(coming);
  await story.pass(1_000);
  story.change(owner, { kind: 'replace', node: leaving!.id, by: { node: coming.id, role: 'core' } });
  const isJoint = ({ engine }: SimulatedNode): boolean => engine!.cluster!.ring().change?.phase === 'joint';
  const isWhole = (): boolean =>
    isJoint(coming) && coming.engine!.status().cluster?.intervals.recovering === 0;
  for (let ms = 0; !isWhole(); ms++) {
    story.must(ms < 10_000, 'the one that comes in is whole');
    if (isJoint(owner)) {
      leaving!.disk.latencyMsMax = 300;
      leaving!.disk.isLate = true;
    }
    await story.pass(1);
  }
  // By then all that ends the change has been said but by the slow disk.
  await story.pass(20);
  story.must(isJoint(owner), 'both rings decide');
  story.split([owner, leaving!]);
  const before = story.publish(client, 3);
  await story.until(() => owner.engine!.cluster!.ring().change === undefined, 'the change ends');
  owner.crash(false);
  story.mend();
  await story.published(story.publisher('q', [coming]), 3);
  await story.start(owner);
  await story.settled(before);
}
