/** A node may end while it is asked in the end, since what rotted before is found even then: it is asked again once it is back. */
import { expect, test } from 'vitest';
import { documentWithin } from '../../simulations/cluster/document-client.js';
import { groupsWithin } from '../../simulations/cluster/group-owners.js';
import { namesWithin } from '../../simulations/cluster/name-owners.js';
import { notificationsWithin } from '../../simulations/cluster/notification-client.js';
import { presenceWithin } from '../../simulations/cluster/presence-client.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';
import { settingsWithin } from '../../simulations/cluster/settings-look.js';
import { SettingsOperator } from '../../simulations/cluster/settings-operator.js';
import type { World } from '../../simulations/cluster/world.js';
import type { Engine } from '../../src/engine/engine.js';

const soonMs = 30_000;

/** What is asked, and of whom an answer was seen. */
const looks: readonly (readonly [keyof Engine, (world: World) => Promise<Iterable<string>>])[] = [
  ['document', async (world) => (await documentWithin(world, [], soonMs)).nodes.keys()],
  ['notifications', async (world) => (await notificationsWithin(world, [], soonMs)).nodes.keys()],
  ['presence', async (world) => (await presenceWithin(world, [], soonMs)).seen.keys()],
  ['settings', async (world) => (await settingsWithin(world, soonMs, 'in the end')).documents.keys()],
  [
    'people',
    async (world) => {
      world.record.groupRaces.push({ group: 'race-1', user: 'g1', outcome: 'rejected' });
      return (await groupsWithin(world, [], soonMs)).keys();
    },
  ],
  [
    'people',
    async (world) => {
      world.record.names.races.push({ name: 'anna', by: 'u1', outcome: 'rejected' } as never);
      return (await namesWithin(world, soonMs)).keys();
    },
  ],
];

test.each(looks)('a node that is asked for %s and ends is looked at again', async (method, look) => {
  const story = await begun();
  const times = endsAt(story, method);
  const seen = await look(story.world);
  expect([...seen].sort()).toEqual(['n1', 'n2', 'n3']);
  expect(times()).toBe(1);
  await ended(story);
});

test('what became of a change of settings stays open where the node ends before it answers', async () => {
  const story = await begun();
  const times = endsAt(story, 'changeSettings');
  const operator = new SettingsOperator(story.world, { name: 'o1', changesPerMinute: 0 });
  const change = operator.change(story.nodes[1]!, { type: 'replace', document: {} });
  expect(await story.world.until(change)).toBe('open');
  expect(times()).toBe(1);
  await ended(story);
});

test('a node that ends while it stops has stopped', async () => {
  const { nodes, world } = await begun();
  world.line.after(0.5, () => nodes[1]!.crash(false));
  await ended({ nodes, world });
  expect(nodes.map(({ state }) => state)).toEqual(['down', 'down', 'down']);
});

async function begun(): Promise<Story> {
  const story = new Story({ keepsSettings: true });
  await story.begin();
  return story;
}

async function ended({ nodes, world }: Pick<Story, 'nodes' | 'world'>): Promise<void> {
  await world.until(Promise.all(nodes.map((node) => node.stop())));
}

/** The second node ends as soon as it is asked for that, and is back after a while; how often it did. */
function endsAt({ nodes, world }: Story, method: keyof Engine): () => number {
  const node = nodes[1]!;
  let times = 0;
  Object.defineProperty(node.engine!, method, {
    value: async () => {
      times++;
      node.crash(false);
      world.line.after(500, () => node.start());
      await new Promise(() => {});
    },
  });
  return () => times;
}
