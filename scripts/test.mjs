/**
 * `npm test [-- arguments for vitest]`: installs and builds what is missing, checks the code, runs all tests, and then, unless
 * only some were asked for, as many seeds of the simulator as four minutes hold, or what is left of seventeen, and the
 * first hundred of clusters in any case, or fifty where the tests took so long that twenty minutes would not do.
 * The last line is plain and stays so: `ringlog: N passed, N failed, N skipped`. A failed check counts as failed.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureToolsBuilt } from './build.mjs';
import { check } from './check.mjs';
import { at, ensureInstalled, Failure, main, remove, run, tool, toolFlags } from './project.mjs';

const begunMs = performance.now();
/** Of all, so that whoever gives it twenty minutes does not cut it short on a slow machine; and of the search in it. */
const [allMinutes, searchMinutesMin, searchMinutesMax] = [17, 1, 4];
/** Of clusters, one after the other, also where the time is up before: a slow machine is no reason to have looked at few. A very
 *  slow one looks at half of them. */
const [clusterSeedsMin, testMinutesSlow] = [100, 13];
const counting = ['--reporter=default', `--reporter=${at('scripts/test-counts.mjs')}`];

async function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
  try {
    const file = join(folder, 'counts.json');
    const env = { ...process.env, RINGLOG_TEST_COUNTS: file };
    const command = [tool('vitest', 'vitest'), 'run', ...counting, ...args];
    const status = await run(process.execPath, command, { env });
    const counts = existsSync(file)
      ? JSON.parse(readFileSync(file, 'utf8'))
      : { passed: 0, failed: 0, skipped: [], slowest: [] };
    // The runner may fail for a reason no test shows: it never started, or it ended badly.
    if (status !== 0 && counts.failed === 0) counts.failed = 1;
    return counts;
  } finally {
    remove(folder);
  }
}

/** Some tests run the built command; the others are worth running when it does not build. */
async function builds() {
  try {
    await ensureToolsBuilt();
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.log(error.message);
    return false;
  }
}

/** Two files run at a time: what these take is what the whole takes. */
function tellSlowest(slowest) {
  const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
  const files = slowest.map(({ file, seconds }) => `${file} ${seconds} s`);
  console.log(`ringlog: checks and tests took ${minutes} min; the slowest: ${files.join(', ')}`);
}

/** From the first seed on: what passes here must pass everywhere. New seeds are for `npm run sim`. Two processes take every
 *  second one each. */
async function seedsHold() {
  const testMinutes = (performance.now() - begunMs) / 60_000;
  const seedsMin = testMinutes > testMinutesSlow ? clusterSeedsMin / 2 : clusterSeedsMin;
  const left = allMinutes - testMinutes;
  const minutes = Math.min(searchMinutesMax, Math.max(searchMinutesMin, left)).toFixed(1);
  const program = at('dist-tools/simulations/run.js');
  const statuses = await Promise.all(
    ['1', '2'].map((from) => {
      const atLeast = ['--at-least', String(seedsMin / 2)];
      const searching = ['--minutes', minutes, '--from', from, '--stride', '2', ...atLeast];
      return run(process.execPath, [...toolFlags, program, ...searching]);
    }),
  );
  const isEachHeld = statuses.every((status) => status === 0);
  if (isEachHeld) console.log(`ringlog: cluster seeds 1 to ${seedsMin} at least held`);
  return isEachHeld;
}

await main(async () => {
  await ensureInstalled();
  const failedChecks = await check();
  if (!(await builds())) failedChecks.push('build');
  const args = process.argv.slice(2);
  const { passed, failed, skipped, slowest } = await runTests(args);
  if (args.length === 0) tellSlowest(slowest);
  if (args.length === 0 && !failedChecks.includes('build') && !(await seedsHold()))
    failedChecks.push('seeds');
  for (const name of skipped) console.log(`skipped: ${name}`);
  if (failedChecks.length > 0) console.log(`check failed: ${failedChecks.join(', ')}`);
  const allFailed = failed + failedChecks.length;
  console.log(`ringlog: ${passed} passed, ${allFailed} failed, ${skipped.length} skipped`);
  process.exitCode = allFailed > 0 ? 1 : 0;
});
