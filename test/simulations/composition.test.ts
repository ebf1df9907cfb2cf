/** The cluster that is simulated is the one that is shipped: the same modules, none copied, none replaced. */
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

/** What runs in both; the rest of `src/` is shells: sockets, files, configuration. */
const shared = /^src\/(?:base|log|cluster|channels|replication|engine|sessions|storage|protocol)\//;

/** Shells and what serves only them, of folders that are shared otherwise. */
const shells: ReadonlySet<string> = new Set([
  'src/base/source-address.ts',
  'src/storage/node-files.ts',
  'src/storage/level-key-value.ts',
  'src/storage/level-lock.ts',
  // Of edge nodes, which the simulated cluster does not have.
  'src/storage/notes-store.ts',
]);

/** Modules that the program loads, by their path in the project. */
async function modulesOf(entry: string): Promise<Set<string>> {
  const { metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: projectRoot(),
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return new Set(Object.keys(metafile.inputs));
}

test('whatever of the core the server is made of runs in the simulated cluster, from the same files', async () => {
  const server = await modulesOf('src/server/index.ts');
  const simulated = await modulesOf('simulations/cluster/search.ts');
  const missing = [...server].filter(
    (path) => shared.test(path) && !simulated.has(path) && !shells.has(path),
  );
  expect(missing).toEqual([]);
});

test('clients of the simulated cluster are the SDK', async () => {
  const sdk = await modulesOf('src/client/index.ts');
  const simulated = await modulesOf('simulations/cluster/search.ts');
  expect([...sdk].filter((path) => path.startsWith('src/client/') && !simulated.has(path))).toEqual([]);
});

test('the simulation has no second one of a module', async () => {
  const simulated = await modulesOf('simulations/cluster/search.ts');
  const others = [...simulated].filter(
    (path) => !path.startsWith('src/') && !path.startsWith('simulations/'),
  );
  expect(others).toEqual([]);
});
