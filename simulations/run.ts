/** `npm run sim -- --seed N | --seeds A..B | --minutes M [--from N] [--twice]`: searches for a seed under which a promise of
 *  the store breaks. Exit codes: 0 none found, 2 wrong arguments, 10 safety, 11 liveness, 12 not deterministic, 13 crash.
 *  The last line of a failure is the command that repeats it.
 *  `npm run sim -- --scale`: how ring and membership behave with more nodes, as tables. */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Violation } from './store/model.js';
import { membershipScaleLines } from './scale/membership-scale.js';
import { ringScaleLines } from './scale/ring-scale.js';
import { runStoreSeed } from './store/search.js';
import { StalledError } from './world/clock.js';

export const exitCodes = {
  ok: 0,
  usage: 2,
  safety: 10,
  liveness: 11,
  nondeterminism: 12,
  crash: 13,
} as const;

interface Finding {
  readonly code: number;
  readonly what: string;
}

/** Runs one seed; `undefined` when all holds. */
export async function trySeed(seed: number, twice: boolean): Promise<Finding | undefined> {
  try {
    const first = await runStoreSeed(seed);
    const second = twice ? await runStoreSeed(seed) : first;
    if (first.traceHash === second.traceHash) return undefined;
    const what = `two runs of one seed differ: ${first.traceHash} and ${second.traceHash}`;
    return { code: exitCodes.nondeterminism, what };
  } catch (error) {
    if (error instanceof Violation) return { code: exitCodes.safety, what: error.message };
    if (error instanceof StalledError) return { code: exitCodes.liveness, what: error.message };
    return {
      code: exitCodes.crash,
      what: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

type Choice = 'scale' | SeedChoice;

interface SeedChoice {
  readonly from: number;
  readonly to: number;
  readonly untilMs: number;
  readonly twice: boolean;
}

const scaleSizes = [10, 100, 1_000];

function choose(args: readonly string[]): Choice {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      from: { type: 'string' },
      twice: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
    },
  });
  const { twice } = values;
  if (values.scale) return 'scale';
  const range = /^(\d+)(?:\.\.(\d+))?$/.exec(values.seed ?? values.seeds ?? '');
  if (range) {
    const from = Number(range[1]);
    return { from, to: Number(range[2] ?? from), untilMs: Number.POSITIVE_INFINITY, twice };
  }
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error('Say which seeds: --seed N, --seeds A..B, or --minutes M [--from N].');
  const from = Number(values.from ?? Math.floor(Date.now() / 1000) % 1_000_000_000);
  return { from, to: Number.MAX_SAFE_INTEGER, untilMs: performance.now() + minutes * 60_000, twice };
}

export async function search(args: readonly string[]): Promise<number> {
  let choice: Choice;
  try {
    choice = choose(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return exitCodes.usage;
  }
  if (choice === 'scale') {
    for (const line of ringScaleLines()) console.log(line);
    for (const line of membershipScaleLines(1, scaleSizes)) console.log(line);
    return exitCodes.ok;
  }
  const { from, to, untilMs, twice } = choice;
  let seed = from;
  for (; seed <= to && performance.now() < untilMs; seed++) {
    const finding = await trySeed(seed, twice);
    if (finding) {
      console.error(`seed ${seed}: ${finding.what}`);
      console.error(`npm run sim -- --seed ${seed}${twice ? ' --twice' : ''}`);
      return finding.code;
    }
  }
  console.log(`${seed - from} seeds from ${from}: every promise held`);
  return exitCodes.ok;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await search(process.argv.slice(2));
}
