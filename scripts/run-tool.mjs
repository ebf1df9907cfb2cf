/**
 * Runs a program from `simulations/`, `examples/` or `bench/` after building what is stale:
 *   node scripts/run-tool.mjs simulations/run [args]      node scripts/run-tool.mjs examples <name> [args]
 */
import { existsSync, readdirSync } from 'node:fs';
import { ensureToolsBuilt } from './build.mjs';
import { at, become, ensureInstalled, Failure, main, toolFlags } from './project.mjs';

await main(async () => {
  const [folderOrProgram, ...rest] = process.argv.slice(2);
  const byName = !folderOrProgram.includes('/');
  const program = byName ? chosen(folderOrProgram, rest.shift()) : folderOrProgram;
  const source = sourceOf(program);
  await ensureInstalled();
  await ensureToolsBuilt();
  await become(at('dist-tools', source.replace(/\.ts$/, '.js')), rest, toolFlags);
});

function chosen(folder, name) {
  const names = existsSync(at(folder))
    ? readdirSync(at(folder)).map((file) => file.replace(/\.ts$/, ''))
    : [];
  const known = names.filter((each) => !each.includes('.')).join(', ') || 'none yet';
  if (!name) throw new Failure(`name one of ${folder}/: ${known}`, 2);
  if (!names.includes(name)) throw new Failure(`${folder}/ has no "${name}"; there are: ${known}`, 2);
  return `${folder}/${name}`;
}

function sourceOf(program) {
  const found = [`${program}.ts`, `${program}/main.ts`, `${program}/index.ts`].find((path) =>
    existsSync(at(path)),
  );
  if (!found) throw new Failure(`there is no ${program}.ts, nor ${program}/main.ts`, 2);
  return found;
}
