/** What a run looks at in the end stays as it is: nothing is trimmed any more once the world keeps all. */
import { expect, test } from 'vitest';
import { Ending } from '../../simulations/cluster/ending.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';

test.each([
  ['go by the configuration alone', false],
  ['keep settings and what users make', true],
])('retention ends at nodes that %s', async (_, keepsSettings) => {
  const story = new Story({ retention: { maxAgeMs: 2_000 }, keepsSettings });
  const { world } = story;
  const floors = (): unknown =>
    story.homes.map(({ rawDisk }) => [...rawDisk.floors(`default/${story.channel}`)]);
  await story.begin();
  const client = story.publisher('p');
  await story.published(client, 5);
  await story.pass(5_000);
  const before = floors();
  expect(before).not.toEqual(story.homes.map(() => []));
  await story.published(client, 5);
  world.keepAll();
  await story.pass(10_000);
  expect(floors()).toEqual(before);
});

test('what the disks had trimmed at the last look stays as it was seen', async () => {
  const story = new Story({ retention: { maxAgeMs: 2_000 } });
  const { world } = story;
  await story.begin();
  const client = story.publisher('p');
  await story.published(client, 5);
  await story.pass(5_000);
  const ending = new Ending(world, { channels: [story.channel], reconnectMaxMs: 500 });
  await ending.all({ publishers: [client], readers: [] });
  const seen = [...ending.evidence!.raised];
  expect(seen.length).toBeGreaterThan(0);
  world.archive.raised.push(seen[0]!);
  expect(ending.evidence!.raised).toEqual(seen);
});
