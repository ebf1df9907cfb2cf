/** What a document is, is looked at in the end once all is in its order that is before a change of everybody. */
import { expect, test } from 'vitest';
import { DocumentClient, documentNow, documentWithin } from '../../simulations/cluster/document-client.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';

test('a change that waits for a home that lost its disk is in the document once that is looked at', async () => {
  const story = new Story({ nodes: 2, replicas: 'all' });
  const { world } = story;
  await story.begin();
  const plan = { name: 'd1', changesPerMinute: 0, degrade: false, timeoutMs: 2_000, restartsPerMinute: 0 };
  const { owner, others } = story;
  const client = new DocumentClient(world, plan, world.client('d1', [owner.host], 500));
  await story.until(() => client.isSettled, 'a document is open');
  story.loseDisk(others[0]!);
  const waiting = client.change()!;
  await story.until(() => waiting.outcome !== 'open', 'a change is answered');
  expect(waiting.outcome).toBe('indeterminate');
  await story.start(...others);
  const seen = await documentWithin(world, [client], 60_000);
  const last = world.record.changes.findLast(({ told }) => told === 'quorum');
  expect(seen.log).toEqual([waiting.id, last?.id]);
  await story.pass(5_000);
  expect((await documentNow(world, [client])).nodes).toEqual(seen.nodes);
  client.close();
  for (const node of story.nodes) await world.until(node.stop());
});
