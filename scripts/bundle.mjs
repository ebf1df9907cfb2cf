/**
 * Puts the `ringlog` command into few files. Node takes a millisecond or two for every file it loads, and the command with all that
 * it needs is more than a thousand: most of what a start took. What one compiles beside it, `ringlog/server` and the rest, stays as it
 * is. See docs/decisions/0098-the-command-is-bundled.md.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, remove } from './project.mjs';

/** By where they look for files of their own: a compiled part, and threads. */
const external = ['classic-level', 'pino'];

/** What is compiled is below the folder; the command and what it starts come to lie in its `cli`. */
export async function bundleProgram(folder) {
  // Not before: scripts run where nothing is installed yet.
  const { build } = await import('esbuild');
  const bundled = join(folder, 'cli.bundled');
  const { metafile } = await build({
    // They find each other beside themselves, so all are in one folder.
    entryPoints: ['cli/main.js', 'server/worker.js', 'peer/pulse-thread.js'].map((file) =>
      join(folder, file),
    ),
    entryNames: '[name]',
    outdir: bundled,
    absWorkingDir: at(),
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external,
    // Packages of the older kind ask for Node's own modules by this.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    sourcemap: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  writeFileSync(join(bundled, 'LICENSES.txt'), licencesOf(Object.keys(metafile.inputs)));
  remove(join(folder, 'cli'));
  renameSync(bundled, join(folder, 'cli'));
}

/** The conditions under which packages may be passed on are passed on with them. */
function licencesOf(inputs) {
  const packages = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const told = [...packages]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((path) => {
      const { name, version, license } = JSON.parse(readFileSync(at(path, 'package.json'), 'utf8'));
      const file = readdirSync(at(path)).find((each) => /^licen[cs]e/i.test(each));
      const text = file === undefined ? `Licence: ${license}` : readFileSync(at(path, file), 'utf8').trim();
      return `${name} ${version}\n\n${text}\n`;
    });
  return told.join(`\n${'-'.repeat(72)}\n\n`);
}
