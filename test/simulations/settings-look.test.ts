/** What goes in a hub in the end is looked at until the nodes and the log agree: neither is read in one moment. */
import { expect, test } from 'vitest';
import { settingsAreTheOrder } from '../../simulations/cluster/checkers/settings.js';
import type { Evidence } from '../../simulations/cluster/checkers/evidence.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';
import { settingsWithin } from '../../simulations/cluster/settings-look.js';
import { SettingsOperator } from '../../simulations/cluster/settings-operator.js';
import type { Engine } from '../../src/engine/engine.js';
import { ok } from '../../src/base/result.js';

const [soonMs, everywhereMs] = [30_000, 1_000];
const closed = { type: 'put', section: 'rules', name: 'gate', value: { public: false } } as const;

test('a change that comes to go between the looks at the nodes and at the log is looked at again', async () => {
  const { world, nodes, change } = await begun();
  const engine = nodes[0]!.engine!;
  const queryLog = engine.queryLog.bind(engine);
  const outcomes: unknown[] = [];
  let times = 0;
  replace(engine, 'queryLog', async (...asked: Parameters<Engine['queryLog']>) => {
    if (times++ === 0) outcomes.push(await change());
    return await queryLog(...asked);
  });
  world.record.settings.looks.push(await settingsWithin(world, soonMs, 'in the end'));
  expect([times, outcomes, foundIn(world)]).toEqual([2, ['acked'], []]);
  await ended(world);
});

test('a node that goes by something else for good is found', async () => {
  const { world, nodes, change } = await begun();
  expect(await world.until(change())).toBe('acked');
  replace(nodes[2]!.engine!, 'settings', async () => ok({}));
  world.record.settings.looks.push(await settingsWithin(world, soonMs, 'in the end'));
  expect(foundIn(world)).toEqual([expect.stringMatching(/^n3 goes by \[\]/)]);
  await ended(world);
});

async function begun() {
  const story = new Story({ keepsSettings: true });
  await story.begin();
  const { world, nodes } = story;
  const operator = new SettingsOperator(world, { name: 'o1', changesPerMinute: 0 });
  const change = async () => await operator.change(nodes[0]!, closed);
  // All of them follow the hub from its first change on.
  const first = { type: 'replace', document: {} } as const;
  expect(await world.until(operator.change(nodes[0]!, first))).toBe('acked');
  await world.pass(everywhereMs);
  return { world, nodes, change };
}

async function ended(world: Story['world']): Promise<void> {
  await world.until(Promise.all(world.nodes.map((node) => node.stop())));
}

function foundIn({ record }: Story['world']): readonly string[] {
  return [...settingsAreTheOrder({ record } as Evidence)];
}

function replace(engine: Engine, method: keyof Engine, value: unknown): void {
  Object.defineProperty(engine, method, { value });
}
