/** `npm run check [-- step ...]`: everything about the code that needs no test to run. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { staleOutputs } from './generate.mjs';
import { at, capture, ensureInstalled, Failure, filesBelow, isTypeScript, main, tool } from './project.mjs';

const code = ['src', 'test', 'simulations', 'examples', 'bench'];
const entries = ['src/cli/main.ts', 'src/client/index.ts', 'src/server/index.ts'];

const ok = { status: 0, output: '' };
const skipped = (why) => ({ status: 0, output: '', skipped: why });
const program = (packageName, name, args) => capture(process.execPath, [tool(packageName, name), ...args]);
const compile = (config) => program('@typescript/native', 'tsc', ['--pretty', 'false', '-p', config]);
const hasCode = (...folders) => folders.some((folder) => filesBelow(folder, isTypeScript).length > 0);

const steps = {
  format: () => program('oxfmt', 'oxfmt', ['--check']),
  lint: () =>
    program('oxlint', 'oxlint', ['--type-aware', '--deny-warnings', '--report-unused-disable-directives']),
  layers() {
    const folders = ['src', 'simulations', 'examples', 'bench'].filter((folder) => hasCode(folder));
    if (!folders.includes('src')) return skipped('src/ is empty');
    return program('dependency-cruiser', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...folders]);
  },
  types: () => (hasCode(...code) ? compile('tsconfig.json') : skipped('no code')),
  'types-pure': () => compile('tsconfig.pure.json'),
  'types-browser': () =>
    hasCode('src/base', 'src/log', 'src/protocol', 'src/client')
      ? compile('tsconfig.browser.json')
      : skipped('no code'),
  async generated() {
    const stale = await staleOutputs();
    return stale.length === 0
      ? ok
      : { status: 1, output: `not what the code says: ${stale.join(', ')}\nRun: npm run generate` };
  },
  'dead-code'() {
    const missing = entries.filter((entry) => !existsSync(at(entry)));
    if (missing.length > 0) return skipped(`waits for ${missing.join(', ')}`);
    return program('knip', 'knip', ['--no-progress']);
  },
};

/** Runs the steps two at a time, prints a line for each, and resolves with the names of those that failed. */
export async function check(names = Object.keys(steps)) {
  const unknown = names.filter((name) => !(name in steps));
  if (unknown.length > 0) {
    throw new Failure(`no such step: ${unknown.join(', ')}; there are: ${Object.keys(steps).join(', ')}`, 2);
  }
  const waiting = [...names];
  const failed = [];
  const work = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      if (!(await runStep(name))) failed.push(name);
    }
  };
  await Promise.all([work(), work()]);
  return failed;
}

async function outcome(step) {
  try {
    return await step();
  } catch (error) {
    return { status: 1, output: error instanceof Failure ? error.message : error.stack };
  }
}

async function runStep(name) {
  const begun = performance.now();
  const result = await outcome(steps[name]);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const verdict = result.status !== 0 ? 'FAILED' : result.skipped ? `skipped: ${result.skipped}` : 'ok';
  console.log(`check ${name.padEnd(14)} ${seconds.padStart(5)} s  ${verdict}`);
  if (result.status !== 0) console.log(result.output.trimEnd());
  return result.status === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensureInstalled();
    const names = process.argv.slice(2);
    const failed = await check(names.length > 0 ? names : undefined);
    if (failed.length > 0) throw new Failure(`check failed: ${failed.join(', ')}`);
  });
}
