/** The last publish of all stays: what an operator asked for before is done by then, or is not. */
import { expect, test } from 'vitest';
import { chanceFor } from '../../simulations/cluster/chance.js';
import { Operator } from '../../simulations/cluster/operator.js';
import { Story } from '../../simulations/cluster/scenarios/story.js';

const channel = 'room:1';
/** By then all have read what there is, and no node has stopped. */
const laterMs = 1_000;

test.each([
  ['trimChannel', 'forced'],
  ['deleteChannel', 'deletions'],
] as const)('in the end a %s that takes a while is waited for', async (method, done) => {
  let story!: Story;
  const findings = await Story.findings(async (told) => {
    story = told;
    const { world } = story;
    world.channels.push(channel);
    await story.begin();
    await story.published(story.publisher('p'), 5);
    const engine = story.owner.engine!;
    const inTime = engine[method] as (...request: unknown[]) => Promise<unknown>;
    const late = (...request: unknown[]) => world.line.sleep(laterMs).then(() => inTime(...request));
    Object.defineProperty(engine, method, { value: late });
    const operator = new Operator(world, chanceFor(1, 'operator'));
    if (method === 'deleteChannel') operator.delete(story.owner, 0);
    else operator.trim(story.owner, channel, { entries: 0 });
  });
  expect(findings).toEqual([]);
  expect(story.world.record[done].map(({ dot }) => dot !== undefined)).toEqual([true]);
});

test('what an operator asks of a node that ends then is waited for by nobody', async () => {
  const findings = await Story.findings(async (story) => {
    const { world } = story;
    await story.begin();
    const { owner } = story;
    Object.defineProperty(owner.engine!, 'trimChannel', { value: () => new Promise(() => {}) });
    new Operator(world, chanceFor(1, 'operator')).trim(owner, channel, { entries: 0 });
    expect(world.record.asked.size).toBe(1);
    owner.crash(false);
    await story.pass(1);
    expect(world.record.asked.size).toBe(0);
  });
  expect(findings).toEqual([]);
});

test('an operator who never gets an answer is a finding', async () => {
  const findings = await Story.findings(async (story) => {
    await story.begin();
    const { owner, world } = story;
    Object.defineProperty(owner.engine!, 'trimChannel', { value: () => new Promise(() => {}) });
    new Operator(world, chanceFor(1, 'operator')).trim(owner, channel, { entries: 0 });
  });
  const what = expect.stringMatching(/^n\d, which is to trim room:1, never got an answer$/) as string;
  expect(findings).toEqual([{ checker: 'I25 publishes are answered', what }]);
});
