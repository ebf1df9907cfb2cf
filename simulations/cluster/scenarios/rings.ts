/** Stories of a ring that changes. */
import type { SimulatedNode } from '../node.js';
import type { Publish } from '../record.js';
import type { Story } from './story.js';

/** D15. A node joins on the side of a majority of five, while two homes of a channel go by the ring of before and acknowledge at
 *  quorum; the other side does so in another channel, by the ring that changes. Then the two part: whoever claims next, by
 *  whichever version, knows of all of it. */
export async function viewSplit(story: Story): Promise<void> {
  const members = story.nodes.filter(({ isSpare }) => !isSpare);
  const newcomer = story.nodes.find(({ isSpare }) => isSpare)!;
  await story.begin();
  const { owner, others } = story;
  const [b] = others;
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
