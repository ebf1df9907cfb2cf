/** Whose a group is, is looked at in the end once everybody who wanted it was told what came of that. */
import { expect, test } from 'vitest';
import { GroupClient } from '../../simulations/cluster/group-client.js';
import { groupsWithin } from '../../simulations/cluster/group-owners.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';

test('a group that is asked for while its node is away is somebody’s once it is looked at', async () => {
  const story = new Story({ nodes: 1, replicas: 1, keepsSettings: true });
  const { world } = story;
  const [node] = story.nodes;
  await story.begin();
  // Comes back to its node a good while after that is up again.
  const options = world.client('g1', world.hosts, 20_000);
  const client = new GroupClient(world, { name: 'g1', everyMs: 10_000 }, options);
  await story.pass(1_000);
  node!.crash(false);
  await story.until(() => world.record.groupRaces.length === 1, 'a group is asked for');
  client.stop();
  await story.start(node!);
  expect(client.isSettled).toBe(false);
  const seen = await groupsWithin(world, [client], 60_000);
  expect(seen).toEqual(new Map([['n1', new Map([['race-1', 'g1']])]]));
  expect(world.record.groupRaces).toEqual([{ group: 'race-1', user: 'g1', outcome: 'made' }]);
  client.close();
  await world.until(node!.stop());
});
