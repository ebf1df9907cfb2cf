/**
 * Replays real conversation through a node that is killed on the way, and proves from the bytes that nothing of it is
 * lost, doubled or out of order:
 *   npm run example -- irc-replay [file] [options]
 *
 * Nothing here takes the product's word for it: the readers decode frames themselves (simulations/clients), the store is
 * read from its files by a parser of its own (simulations/checkers), and both are held against the publishers' ledger.
 */
import { NodeProcess } from '../../test/support/node-process.js';
import { testData } from '../../test/support/data.js';
import { InputError, type LineSource, fileSource, firstDays, overviewOf } from './lines.js';
import { type Options, UsageError, parseOptions, usage } from './options.js';
import { Progress } from './progress.js';
import { jsonLines, tableLines } from './report.js';
import { type Result, Run } from './run.js';
import { sampleSource } from './sample.js';

const exitCodes = { passed: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

async function main(): Promise<number> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  try {
    const options = parseOptions(process.argv.slice(2));
    if (!options) {
      console.log(usage);
      return exitCodes.passed;
    }
    return await replay(options, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return exitCodes.interrupted;
    if (error instanceof UsageError) console.error(`irc-replay: ${error.message}\n\n${usage}`);
    else if (error instanceof InputError) console.error(`irc-replay: ${error.message}`);
    else throw error;
    return exitCodes.usage;
  }
}

async function replay(options: Options, signal: AbortSignal): Promise<number> {
  const source = sourceOf(options);
  const overview = await overviewOf(source);
  if (options.url !== undefined && !(await isReachable(options.url))) {
    console.error(`irc-replay: no node answers at ${options.url}. Start one: npm start`);
    return exitCodes.unreachable;
  }
  const node =
    options.url === undefined ? await NodeProcess.start({ args: ['--log-level', 'warn'] }) : undefined;
  const run = new Run({ ...options, source, overview, node, nodeUrl: options.url ?? node!.url, signal });
  const progress = new Progress(overview.lines, () => ({ acked: run.ledger.acked, day: run.day }));
  let result: Result | undefined;
  try {
    result = await run.run(progress);
  } finally {
    progress.end();
    const keep = node && result?.passed !== true && !signal.aborted;
    if (keep) {
      await node.kill();
      console.error(`irc-replay: the node's data is kept in ${node.dataPath}`);
    } else await node?.remove();
  }
  for (const line of options.json ? jsonLines(result) : tableLines(result)) console.log(line);
  return result.passed ? exitCodes.passed : exitCodes.failed;
}

function sourceOf({ file, days, seed }: Options): LineSource {
  const path = file ?? testData('irc/ubuntu.ndjson.gz');
  if (path === undefined)
    console.error(
      'irc-replay: the test data is not here (RINGLOG_TEST_DATA); a small made-up file serves instead.',
    );
  const source = path === undefined ? sampleSource(seed) : fileSource(path);
  return days === undefined ? source : firstDays(source, days);
}

async function isReachable(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

process.exitCode = await main();
