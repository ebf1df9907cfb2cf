/**
 * Types what somebody really typed into a document on three nodes, of which one dies on the way, and compares the text byte for
 * byte:
 *   npm run example -- editing-trace [file] [--changes N] [--json]
 *
 * `file` is a trace of the form of https://github.com/josephg/editing-traces, gzipped or not; without one that of the test data
 * is taken, or a made-up one.
 */
import { parseArgs } from 'node:util';
import { testData } from '../../test/support/data.js';
import { type Result, runTrace } from './run.js';
import { InputError, type Trace, madeUpTrace, readTrace } from './trace.js';

const usage = 'usage: editing-trace [file] [--changes N] [--json]';
const madeUpChanges = 2_000;

async function main(): Promise<number> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { changes: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    if (values.help) {
      console.log(usage);
      return 0;
    }
    const result = await runTrace(traceOf(positionals[0], values.changes), interrupt.signal);
    console.log(values.json ? JSON.stringify(result) : told(result));
    return result.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    const isUsage = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    if (!isUsage && !(error instanceof InputError)) throw error;
    console.error(`editing-trace: ${(error as Error).message}\n${usage}`);
    return 2;
  }
}

function traceOf(file: string | undefined, changes: string | undefined): Trace {
  const most = changes === undefined ? Infinity : Number(changes);
  if (!(most >= 2)) throw new InputError('--changes is a number from 2 on');
  const path = file ?? testData('editing/friendsforever_flat.json.gz');
  if (path !== undefined) return readTrace(path, most);
  console.error(
    'editing-trace: the test data is not here (RINGLOG_TEST_DATA); a made-up trace serves instead.',
  );
  return madeUpTrace(Math.min(most, madeUpChanges));
}

function told(result: Result): string {
  const { trace, isRecorded, changes, bytes, seconds, changesPerSecond, failoverMs, version, problems } =
    result;
  return [
    `${changes} changes of ${trace} give ${bytes} bytes`,
    `${seconds.toFixed(1)} s, ${changesPerSecond} changes a second, the owner's death included`,
    `${failoverMs} ms from its death to the next answer; version ${version} in the end`,
    problems.length > 0
      ? problems.join('\n')
      : isRecorded
        ? 'All nodes, started again, and followers have the recorded text.'
        : 'All nodes, started again, and followers have the text that these changes give.',
  ].join('\n');
}

process.exitCode = await main();
