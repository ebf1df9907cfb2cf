/** Who has a name is looked at in the end once everybody who wanted one was told what came of that. */
import { expect, test } from 'vitest';
import { Ending } from '../../simulations/cluster/ending.js';
import { RegistrationClient, foundDirectory } from '../../simulations/cluster/registration-client.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';

test('a name that is asked for while its node is away is somebody’s once it is looked at', async () => {
  const story = new Story({ nodes: 1, replicas: 1, keepsSettings: true });
  const { world } = story;
  const [node] = story.nodes;
  await story.begin();
  foundDirectory(world);
  // Comes back to its node a good while after that is up again.
  const options = world.client('v1', world.hosts, 20_000);
  const client = new RegistrationClient(world, { name: 'v1', everyMs: 60_000 }, options);
  await story.pass(2_500);
  node!.crash(false);
  await story.until(() => world.record.names.races.length === 1, 'a name is asked for');
  await story.start(node!);
  expect(client.isSettled).toBe(false);
  const ending = new Ending(world, { channels: [story.channel], reconnectMaxMs: 500 });
  await ending.all({ publishers: [], readers: [], registrations: [client] });
  expect(world.record.names.races).toEqual([{ name: 'name-1', by: 'v1', outcome: 'made' }]);
  expect(ending.findings(undefined)).toEqual([]);
});
