/** Stories of rings that change while entries are written. */
import type { SimulatedNode } from '../node.js';
import type { Story } from './story.js';

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
