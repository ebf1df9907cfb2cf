/** `npm start`: installs and builds what is missing, then runs one server with the arguments given. */
import { ensureProductBuilt } from './build.mjs';
import { at, become, ensureInstalled, main } from './project.mjs';

await main(async () => {
  await ensureInstalled();
  await ensureProductBuilt();
  await become(at('dist/cli/main.js'), ['start', ...process.argv.slice(2)]);
});
