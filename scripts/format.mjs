/** `npm run format`: rewrites every file in the project's format. */
import { ensureInstalled, main, run, tool } from './project.mjs';

await main(async () => {
  await ensureInstalled();
  process.exitCode = await run(process.execPath, [
    tool('oxfmt', 'oxfmt'),
    '--write',
    ...process.argv.slice(2),
  ]);
});
