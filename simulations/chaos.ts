/**
 * Real processes under load while one thing after another goes wrong:
 *   npm run chaos -- [--minutes m] [--seed n] [--only kind,kind] [--rate n]
 * Exit status: 0 nothing is lost, doubled or out of order and all came together again; 1 otherwise; 2 wrong usage;
 * 130 interrupted.
 */
import { parseArgs } from 'node:util';
import { type FaultKind, faults } from './chaos/faults.js';
import { reportLines } from './chaos/report.js';
import { runChaos } from './chaos/run.js';

const kinds = Object.keys(faults) as FaultKind[];
const rateDefault = 200;
const usage = `usage: chaos [--minutes <m>] [--seed <n>] [--only <kind,…>] [--rate <n>]

  --minutes <m>  how long things go wrong (default: 2); each is brought to its end
  --seed <n>     of what goes wrong and when (default: chosen by the clock)
  --only <…>     these kinds alone: ${kinds.join(', ')}
  --rate <n>     publishes a second (default: ${rateDefault})`;

interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly rate: number;
}

/** Undefined when the usage was asked for; throws what is wrong. */
function parse(args: readonly string[]): Arguments | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      rate: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return undefined;
  const only = values.only?.split(',') ?? kinds;
  const strange = only.find((kind) => !(kind in faults));
  if (strange !== undefined) throw new Error(`there is no fault "${strange}"`);
  const minutes = Number(values.minutes ?? 2);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const rate = Number(values.rate ?? rateDefault);
  if (!(rate > 0 && rate <= 1_000)) throw new Error(`--rate is a number of 1 to 1000, not "${values.rate}"`);
  if (!(minutes > 0)) throw new Error(`--minutes is a number above 0, not "${values.minutes}"`);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed is a whole number, not "${values.seed}"`);
  return { minutes, seed, rate, kinds: only as FaultKind[] };
}

async function main(): Promise<number> {
  let args: Arguments | undefined;
  try {
    args = parse(process.argv.slice(2));
  } catch (error) {
    console.error(`chaos: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (!args) {
    console.log(usage);
    return 0;
  }
  const { minutes, seed } = args;
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  const begun = performance.now();
  const tell = (text: string) =>
    console.log(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(7)} s  ${text}`);
  console.log(`chaos: seed ${seed}`);
  try {
    const result = await runChaos({ ...args, lengthMs: minutes * 60_000, signal: interrupt.signal, tell });
    for (const line of reportLines(result)) console.log(line);
    if (result.passed) return 0;
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    console.error(error);
  }
  console.log(
    `\nFAILED. Again, though not in the same order of events: npm run chaos -- --minutes ${minutes} --seed ${seed}`,
  );
  return 1;
}

process.exitCode = await main();
