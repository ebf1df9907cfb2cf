/** Stories told to whole clusters: each once broke a design, here or elsewhere. Reference: the names D1 to D14. */
import { expect, test } from 'vitest';
import { stories, tellStory } from '../../simulations/cluster/scenarios/index.js';

test.each([...stories.keys()])('%s', async (name) => {
  const findings = await tellStory(name);
  expect(findings.map(({ checker, what }) => `${checker}: ${what}`)).toEqual([]);
});
