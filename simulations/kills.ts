/**
 * Kills a node under load and looks for what was acknowledged and is gone:
 *   npm run kills -- [kills] [--seed n] [--lines n]
 * Ten kills are the default. Exit status: 0 nothing is lost, doubled or out of order; 1 something is; 2 wrong usage;
 * 130 interrupted.
 */
import { parseArgs } from 'node:util';
import { reportLines } from './kills/report.js';
import { runKills } from './kills/run.js';

const usage = `usage: kills [kills] [--seed <n>] [--lines <n>]

  kills        how often the node is killed (default: 10)
  --seed <n>   of the moments and the load (default: chosen by the clock)
  --lines <n>  publishes between two kills at most (default: 2000)`;

interface Arguments {
  readonly kills: number;
  readonly seed: number;
  readonly lines: number;
}

/** Undefined when the usage was asked for; throws what is wrong. */
function parse(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { seed: { type: 'string' }, lines: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) return undefined;
  if (positionals.length > 1) throw new Error(`one number of kills, not ${positionals.length}`);
  return {
    kills: numberOf('kills', positionals[0], 10),
    seed: numberOf('--seed', values.seed, Date.now() % 1_000_000),
    lines: numberOf('--lines', values.lines, 2_000),
  };
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} is a whole number from 1, not "${text}"`);
  return Number(text);
}

async function main(): Promise<number> {
  let args: Arguments | undefined;
  try {
    args = parse(process.argv.slice(2));
  } catch (error) {
    console.error(`kills: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (!args) {
    console.log(usage);
    return 0;
  }
  const { kills, seed, lines } = args;
  const repeat = `npm run kills -- ${kills} --seed ${seed} --lines ${lines}`;
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  try {
    const result = await runKills({
      kills,
      seed,
      linesPerLifeMax: lines,
      signal: interrupt.signal,
      onKill: (kill, moment, ledger) =>
        console.log(`kill ${kill}/${kills} ${moment}; ${ledger.acked} lines acked so far`),
    });
    for (const line of reportLines(result, kills)) console.log(line);
    if (result.passed) return 0;
    console.log(`\nFAILED. The data is kept in ${result.dataPath}\nAgain: ${repeat}`);
    return 1;
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    console.error(error);
    console.log(`\nFAILED. Again: ${repeat}`);
    return 1;
  }
}

process.exitCode = await main();
