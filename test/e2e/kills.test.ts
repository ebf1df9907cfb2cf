/** A node killed ten times under load loses nothing it acknowledged. `npm run kills -- 200` does it for longer. */
import { expect, test } from 'vitest';
import { reportLines } from '../../simulations/kills/report.js';
import { runKills } from '../../simulations/kills/run.js';

const kills = 10;

test('a node killed ten times under load has all it acknowledged, once and in order', async () => {
  const result = await runKills({ kills, seed: 1, linesPerLifeMax: 400 });
  // The table tells what went wrong, and where the data is.
  if (!result.passed) console.log([...reportLines(result, kills), result.dataPath].join('\n'));
  expect(result.problems).toEqual([]);
  expect(result.passed).toBe(true);
  // Nothing is wrong with nothing either: it was a load.
  expect(result.ledger.acked).toBeGreaterThan(500);
  expect(result.raw.delivered).toBeGreaterThan(3 * 500);
  expect(result.sdk.delivered).toBeGreaterThan(500);
});
