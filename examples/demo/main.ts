/**
 * A cluster of three real processes, and what becomes of it when things go wrong, to look at:
 *   npm run demo [-- file] [options]
 * The nodes talk through proxies of this process, so that one can be cut off without rights over the machine's network.
 */
import { testData } from '../../test/support/data.js';
import { InputError, type LineSource, fileSource } from '../irc-replay/lines.js';
import { sampleSource } from '../irc-replay/sample.js';
import { type Options, UsageError, parseOptions, usage } from './options.js';
import { reportLines } from './report.js';
import { runDemo } from './run.js';

const exitCodes = { passed: 0, failed: 1, usage: 2, interrupted: 130 } as const;

async function main(): Promise<number> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  try {
    const options = parseOptions(process.argv.slice(2));
    if (!options) {
      console.log(usage);
      return exitCodes.passed;
    }
    const result = await runDemo({ ...options, source: sourceOf(options), signal: interrupt.signal });
    for (const line of reportLines(result)) console.log(line);
    return result.passed ? exitCodes.passed : exitCodes.failed;
  } catch (error) {
    if (interrupt.signal.aborted) return exitCodes.interrupted;
    if (error instanceof UsageError) console.error(`demo: ${error.message}\n\n${usage}`);
    else if (error instanceof InputError) console.error(`demo: ${error.message}`);
    else {
      console.error(error);
      return exitCodes.failed;
    }
    return exitCodes.usage;
  }
}

function sourceOf({ file, seed }: Options): LineSource {
  const path = file ?? testData('irc/ubuntu.ndjson.gz');
  return path === undefined ? sampleSource(seed) : fileSource(path);
}

process.exitCode = await main();
