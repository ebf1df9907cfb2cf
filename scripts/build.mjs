/**
 * Compiles `src/` to `dist/`, with the command in few files, and simulations, examples and benchmarks to `dist-tools/`.
 * `npm run build` always builds; the other scripts build only what is older than its sources.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleProgram } from './bundle.mjs';
import {
  at,
  ensureInstalled,
  Failure,
  filesBelow,
  isTypeScript,
  main,
  remove,
  run,
  sourceStamp,
  tool,
} from './project.mjs';

const product = { config: 'tsconfig.build.json', outDir: 'dist', folders: ['src'], finish: bundleProgram };
const tools = {
  config: 'tsconfig.tools.json',
  outDir: 'dist-tools',
  folders: ['src', 'simulations', 'examples', 'bench'],
};

export const ensureProductBuilt = () => buildUnlessFresh(product);

export async function ensureToolsBuilt() {
  await buildUnlessFresh(product);
  await buildUnlessFresh(tools);
}

async function buildUnlessFresh(target) {
  const stamp = at(target.outDir, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceStamp(target.folders)) return;
  await build(target);
}

async function build({ config, outDir, folders, finish }) {
  const stamp = sourceStamp(folders);
  if (!folders.some((folder) => filesBelow(folder, isTypeScript).length > 0)) {
    throw new Failure(`nothing to build: no TypeScript below ${folders.join(', ')}`);
  }
  // Built aside and then renamed: an interrupted or failed build leaves the last good one in place.
  const fresh = at(`${outDir}.${process.pid}.tmp`);
  try {
    console.log(`ringlog: building ${outDir}/`);
    const tsc = tool('@typescript/native', 'tsc');
    const status = await run(process.execPath, [tsc, '-p', config, '--outDir', fresh]);
    if (status !== 0) throw new Failure(`${outDir}/ was not built; the compiler's messages are above`);
    await finish?.(fresh);
    writeFileSync(join(fresh, '.stamp'), stamp);
    replace(at(outDir), fresh);
  } finally {
    remove(fresh);
  }
}

// Another build may put its own result there between the two steps; both are good, the later one stays.
function replace(folder, fresh) {
  remove(folder);
  try {
    renameSync(fresh, folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    remove(folder);
    renameSync(fresh, folder);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensureInstalled();
    await build(product);
    await build(tools);
  });
}
