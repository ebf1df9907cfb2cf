/** Stories of nodes that come back with less than they had, or twice. */
import type { Observation } from '../../../src/engine/ports.js';
import type { SimulatedNode } from '../node.js';
import type { Story } from './story.js';

/** D6. A home's disk is wiped and starts under its old id, while the only other home that has an entry is away and the third
 *  one claims. The empty disk counts nowhere as one that has nothing. */
export async function emptyTwin(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b, c] = others;
  story.split([owner, b!]);
  const kept = await story.published(story.publisher('p', [owner]), 5);
  story.must(
    kept.every(({ reached }) => reached === 'quorum'),
    'two disks have it',
  );
  story.loseDisk(b!);
  story.split([b!, c!]);
  await story.start(b!);
  const early = story.publish(story.publisher('q', [c!], { timeoutMs: 4_000 }), 3);
  await story.pass(5_000);
  story.must(
    early.every(({ outcome }) => outcome !== 'acked'),
    'nobody acknowledges while the entries are away',
  );
  story.mend();
  await story.published(story.publisher('r', [c!]), 3);
}

/** D7. Yesterday's directory is put back: it is noticed within 5 s, the store gets another id, and nothing acknowledged is
 *  lost. */
export async function rolledBack(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b] = others;
  const seen = observed(story);
  await story.published(story.publisher('p', [owner]), 5);
  const image = b!.image();
  for (let i = 0; i < 5; i++) {
    await story.published(story.publisher(`q${i}`, [owner]), 5);
    await story.pass(4_000);
  }
  b!.crash(true);
  story.world.record.lostDisks.set(b!.putImage(image), story.world.nowMs());
  await story.start(b!);
  await story.until(() => seen(b!).includes('STORE_ROLLED_BACK'), 'it is noticed', 5_000);
  await story.until(() => b!.engine?.status().cluster?.intervals.recovering === 0, 'it counts again');
  story.must(b!.engine!.status().state === 'serving', 'it serves again');
  await story.published(story.publisher('r', [b!]), 5);
}

/** D7. A copy of a running node's directory is started on another machine: within 5 s it refuses to go on, and says what to
 *  do; the node itself goes on with a store of another id. */
export async function twice(story: Story): Promise<void> {
  await story.begin();
  const { owner, others, world } = story;
  const [b] = others;
  const seen = observed(story);
  await story.published(story.publisher('p', [owner]), 20);
  await story.pass(11_000);
  const copy = world.copyOf(b!);
  const told: string[] = [];
  copy.onObservation = (observation) => {
    if (observation.type === 'alarm') told.push(observation.code);
  };
  copy.start();
  // The others reach it once gossip found it.
  await story.until(() => told.includes('STORE_TWICE'), 'the copy is told', 5_000 + foundMs);
  await story.until(() => copy.state === 'down', 'the copy does not go on');
  await story.until(
    () => seen(b!).includes('STORE_ROLLED_BACK'),
    'the node gives up what the copy may have said',
    5_000,
  );
  await story.until(() => b!.engine?.status().cluster?.intervals.recovering === 0, 'the node counts again');
  await story.published(story.publisher('r', [b!]), 5);
}

const foundMs = 5_000;

/** Alarms of each node. */
function observed({ nodes }: Story): (node: SimulatedNode) => readonly string[] {
  const seen = new Map<SimulatedNode, string[]>();
  for (const node of nodes) {
    const codes: string[] = [];
    seen.set(node, codes);
    node.onObservation = (observation: Observation) => {
      if (observation.type === 'alarm') codes.push(observation.code);
    };
  }
  return (node) => seen.get(node) ?? [];
}
