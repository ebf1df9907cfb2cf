/** Stories about clocks, cold starts, and readers that are ahead of who serves them. */
import type { SimulatedNode } from '../node.js';
import type { Story } from './story.js';

const sixHoursMs = 6 * 3_600_000;

/** D8. A clock jumps six hours ahead while its node runs, and is not followed; then the node starts with it, alone, and writes
 *  100 entries. They are kept, and no other clock moves. */
export async function sixHoursAhead(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  await neverFollowed(story, owner);
  const [node] = others;
  const client = story.publisher('p', [node!], { levels: ['owner'] });
  node!.machine.stepWall(sixHoursMs);
  node!.noteLead();
  const before = await story.published(client, 5);
  for (const { timestamp, sentMs } of before)
    story.must(aheadMs(story, timestamp, sentMs) < 2_000, 'a clock that runs is not followed');
  node!.crash(false);
  story.split(story.nodes.filter((other) => other !== node));
  await story.start(node!);
  await story.pass(4_000);
  const alone = await story.published(client, 100);
  story.must(
    alone.every(({ dot }) => dot),
    'they are entries',
  );
  const told = alarmsOf(owner, 'CLOCK_AHEAD');
  story.mend();
  await story.pass(2_000);
  story.must(told.length > 0, 'the others tell of the clock that is ahead');
  story.must(told.length <= 8, 'of a hundred entries fewer and fewer are told');
  const { writer } = alone[0]!.dot!;
  const isTold = told.every((message) => message.includes(writer) && /, 21[56]\d\d s ahead/.test(message));
  story.must(isTold, 'it is said who is ahead and by how much');
  const after = await story.published(story.publisher('q', [owner]), 20);
  const own = after.filter(
    ({ dot }) => story.world.record.writers.get(dot!.writer)?.process.node !== node!.name,
  );
  for (const { timestamp, sentMs } of own)
    story.must(aheadMs(story, timestamp, sentMs) < 4_000, 'nobody follows the clock that is ahead');
}

/** However long the clock stays wrong: the others deny it. */
async function neverFollowed(story: Story, owner: SimulatedNode): Promise<void> {
  const alarms = alarmsOf(owner, 'CLOCK_STEP');
  owner.machine.stepWall(sixHoursMs);
  owner.noteLead();
  await story.pass(10_000);
  for (const { timestamp, sentMs } of await story.published(story.publisher('at the owner', [owner]), 5))
    story.must(aheadMs(story, timestamp, sentMs) < 2_000, 'a clock that the others deny is never followed');
  story.must(alarms.length > 0, 'somebody is told');
  owner.machine.setWallRight();
}

/** What a node says with an alarm of this code, from now on. */
function alarmsOf(node: SimulatedNode, code: string): string[] {
  const messages: string[] = [];
  node.onObservation = (observation) => {
    if (observation.type === 'alarm' && observation.code === code) messages.push(observation.message);
  };
  return messages;
}

function aheadMs({ world }: Story, timestamp: number, sentMs: number): number {
  const wallMs = world.line.wallMs() - world.line.monotonicMs() + sentMs;
  return 1_704_067_200_000 + timestamp / 4_096 - wallMs;
}

/** D11. All power is gone at once. Nodes start in this order, so far apart, perhaps one of them never: nothing acknowledged is
 *  lost, and nobody owns alone. */
export async function lightsOut(story: Story, order: readonly number[], gapMs: number): Promise<void> {
  await story.begin();
  const client = story.publisher('p');
  await story.published(client, 10);
  story.publish(client, 5);
  await story.pass(2);
  for (const node of story.nodes) node.crash(true);
  await story.pass(500);
  for (const at of order) {
    await story.start(story.nodes[at]!);
    await story.pass(gapMs);
  }
  await story.published(client, 5);
}

/** D14. A reader has 100 entries; the home it comes to next is 20 behind, and the one that has them is gone. It goes on there,
 *  as soon as that can be, without a repeat. */
export async function ahead(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b, c] = others;
  const client = story.publisher('p', [owner]);
  const reader = story.reader('r', [owner, c!]);
  await story.published(client, 79);
  await story.until(() => story.had(reader) >= 80, 'the reader has 80');
  story.split([owner, b!]);
  await story.published(client, 20);
  await story.until(() => story.had(reader) >= 100, 'the reader has 100');
  // Only b has what the reader has and c lacks, and c does not hear it yet.
  owner.crash(true);
  reader.handOver();
  await story.pass(3_000);
  story.must(story.had(reader) === 100, 'nobody serves the reader yet');
  story.mend();
  await story.published(story.publisher('q', [b!]), 5);
  await story.until(() => story.had(reader) >= 105, 'the reader goes on');
  await story.start(owner);
}
