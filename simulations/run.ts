/** `npm run sim`: searches for a seed under which a promise breaks, of the store, of the replication between homes, of a whole
 *  cluster with its clients, or of all in turn. `--help` tells the options. The last line of a failure is the command that
 *  repeats it. */
// First: it must be there before the code that it plants bugs in.
import { plant } from './replication/planting.js';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type ClusterBug, clusterBugLines, clusterBugs } from './cluster/bugs.js';
import type { Fault } from './cluster/faults.js';
import { parseSchedule } from './cluster/schedule.js';
import { ClusterSearch } from './cluster/search.js';
import { bugLines } from './replication/bugs.js';
import { shownBugLines } from './replication/shown-by-tests.js';
import { searchReplication } from './replication/search.js';
import { membershipScaleLines } from './scale/membership-scale.js';
import { reachLines } from './scale/reconcile-reach.js';
import { ringScaleLines } from './scale/ring-scale.js';
import { storeBugLines } from './store/bugs.js';
import { Violation } from './store/model.js';
import { runStoreSeed } from './store/search.js';
import { StalledError } from './world/clock.js';

const usage = `npm run sim -- --seed N | --seeds A..B | --minutes M [--from N]   searches for a seed that breaks a promise
  --at-least N     goes on until so many seeds of the cluster were taken, also where the time is up
  --stride N       takes every Nth seed: N processes, each from a seed of its own, share them
  --of WHAT        store, replication or cluster; otherwise all in turn
  --twice          runs each seed twice, which must do the same
  --nodes N        fixes the size of the cluster
  --shrink         looks for the smallest schedule of faults that still breaks it
  --schedule FILE  takes the faults from what --shrink printed
  --without NAME   leaves a checker of the cluster out
  --plant BUG      a cluster with that bug, in the small worlds in which it is looked for
npm run sim -- --bugs [--of WHAT]                 plants known bugs and shows that the search finds them
npm run sim -- --scale                             how ring and membership behave with more nodes, as tables
npm run sim -- --reach [--entries N]               what comparing two stores costs
Exit codes: 0 none found, 1 a planted bug was missed, 2 wrong arguments, 10 safety, 11 liveness, 12 not deterministic, 13 crash.`;

export const exitCodes = {
  ok: 0,
  missed: 1,
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

const subjects = ['store', 'replication', 'cluster'] as const;
type Subject = (typeof subjects)[number];

/** How `--minutes` are split: where most is done at once, most can be found. docs/testing.md */
const shares: Readonly<Record<Subject, number>> = { store: 1, replication: 1, cluster: 6 };

/** Runs one seed; `undefined` when all holds. */
export async function trySeed(seed: number, twice: boolean, subject: Subject): Promise<Finding | undefined> {
  const run = { store: runStore, replication: runReplication, cluster: runCluster }[subject];
  try {
    const first = await run(seed);
    const second = twice ? await run(seed) : first;
    if (first === second) return undefined;
    return { code: exitCodes.nondeterminism, what: `two runs of one seed differ: ${first} and ${second}` };
  } catch (error) {
    if (error instanceof Violation) return { code: exitCodes.safety, what: error.message };
    if (error instanceof ClusterError) return { code: error.code, what: error.message };
    if (error instanceof StalledError) return { code: exitCodes.liveness, what: error.message };
    return {
      code: exitCodes.crash,
      what: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

/** Resolves with what must be the same in every run of the seed. */
async function runStore(seed: number): Promise<string> {
  return (await runStoreSeed(seed)).traceHash;
}

async function runReplication(seed: number): Promise<string> {
  const { violations, hash } = searchReplication({ firstSeed: seed, count: 1 });
  if (violations[0]) throw new Violation(violations[0].what);
  return hash;
}

async function runCluster(seed: number): Promise<string> {
  const { kind, hash, lines } = await clusterSearch.run(seed);
  if (kind === 'held') return hash;
  throw new ClusterError(exitCodes[kind], lines.join('\n'));
}

let clusterSearch = new ClusterSearch();

class ClusterError extends Error {
  constructor(
    readonly code: number,
    told: string,
  ) {
    super(`\n${told}`);
  }
}

interface Choice {
  readonly what: 'seeds' | 'scale' | 'reach' | 'bugs';
  readonly from: number;
  readonly to: number;
  readonly stride: number;
  /** Seeds of the cluster to be taken, however long that is. */
  readonly atLeast: number;
  /** Infinite where seeds are given. */
  readonly minutes: number;
  /** Of a channel, where it is measured what comparing costs. */
  readonly entries: number;
  readonly twice: boolean;
  readonly subjects: readonly Subject[];
  readonly shrinks: boolean;
  readonly checkersOff: readonly string[];
  readonly nodes: number | undefined;
  readonly schedule: readonly Fault[] | undefined;
  /** As it was given. */
  readonly scheduleFile: string | undefined;
  readonly planted: ClusterBug | undefined;
}

const scaleSizes = [10, 100, 1_000];
const reachSize = { channels: 10_000, payloadBytes: 128 };
const bugSeedsMax = 3_000;
const storeBugSeedsMax = 600;
/** A seed of a cluster takes a second. */
const clusterBugSeedsMax = 60;

function choose(args: readonly string[]): Choice {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      from: { type: 'string' },
      stride: { type: 'string', default: '1' },
      'at-least': { type: 'string', default: '0' },
      of: { type: 'string' },
      twice: { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
      nodes: { type: 'string' },
      schedule: { type: 'string' },
      plant: { type: 'string' },
      without: { type: 'string', multiple: true, default: [] },
      bugs: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      reach: { type: 'boolean', default: false },
      entries: { type: 'string', default: '100' },
    },
  });
  const what = values.scale ? 'scale' : values.reach ? 'reach' : values.bugs ? 'bugs' : 'seeds';
  const chosen = subjects.filter((subject) => values.of === undefined || subject === values.of);
  if (chosen.length === 0) throw new Error(`--of takes ${subjects.join(' or ')}.`);
  const planted = clusterBugs.find(({ bug }) => bug === values.plant);
  if (values.plant !== undefined && !planted)
    throw new Error(`--plant takes ${clusterBugs.map(({ bug }) => bug).join(', ')}.`);
  const range = /^(\d+)(?:\.\.(\d+))?$/.exec(values.seed ?? values.seeds ?? '');
  const minutes = Number(values.minutes);
  if (what === 'seeds' && !range && !(minutes > 0))
    throw new Error(
      'Say which seeds: --seed N, --seeds A..B, or --minutes M [--from N]; or --bugs, --scale, or --reach. --help tells more.',
    );
  const stride = Number(values.stride);
  if (!Number.isInteger(stride) || stride < 1) throw new Error('--stride takes a whole number from 1 on.');
  const from = Number(range?.[1] ?? values.from ?? Math.floor(Date.now() / 1000) % 1_000_000_000);
  return {
    what,
    from,
    to: range ? Number(range[2] ?? from) : Number.MAX_SAFE_INTEGER,
    stride,
    atLeast: Number(values['at-least']),
    minutes: range ? Number.POSITIVE_INFINITY : minutes,
    entries: Number(values.entries),
    twice: values.twice,
    subjects: planted ? ['cluster'] : chosen,
    planted,
    shrinks: values.shrink,
    checkersOff: values.without,
    nodes: values.nodes === undefined ? undefined : Number(values.nodes),
    scheduleFile: values.schedule,
    schedule:
      values.schedule === undefined ? undefined : parseSchedule(readFileSync(values.schedule, 'utf8')),
  };
}

export async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    console.log(usage);
    return exitCodes.ok;
  }
  let choice: Choice;
  try {
    choice = choose(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return exitCodes.usage;
  }
  if (choice.what === 'seeds') return search(choice);
  if (choice.what === 'bugs') return plantBugs(choice.subjects);
  if (choice.what === 'reach') {
    const isEachEqual = await reachLines({ ...reachSize, entries: choice.entries }, (line) =>
      console.log(line),
    );
    return isEachEqual ? exitCodes.ok : exitCodes.missed;
  }
  for (const line of ringScaleLines()) console.log(line);
  for (const line of membershipScaleLines(1, scaleSizes)) console.log(line);
  return exitCodes.ok;
}

async function plantBugs(chosen: readonly Subject[]): Promise<number> {
  let isEachFound = true;
  const tell = (line: string): void => console.log(line);
  if (chosen.includes('store')) isEachFound = await storeBugLines(storeBugSeedsMax, tell);
  if (chosen.includes('replication')) {
    const core = bugLines(bugSeedsMax);
    isEachFound &&= core.isEachFound;
    for (const line of core.lines) tell(line);
  }
  if (chosen.includes('cluster'))
    isEachFound = (await clusterBugLines(clusterBugSeedsMax, tell)) && isEachFound;
  if (chosen.length === subjects.length) isEachFound = shownBugLines(tell) && isEachFound;
  return isEachFound ? exitCodes.ok : exitCodes.missed;
}

async function search(choice: Choice): Promise<number> {
  const { checkersOff, shrinks, nodes, schedule, planted, subjects: chosen } = choice;
  plant(planted?.bug);
  clusterSearch = new ClusterSearch({
    shrinks,
    checkersOff: new Set(checkersOff),
    ...(nodes === undefined ? {} : { nodes }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(planted === undefined ? {} : { steering: planted.steering }),
  });
  const all = chosen.reduce((sum, subject) => sum + shares[subject], 0);
  for (const subject of chosen) {
    const code = await searchIn(subject, choice, (choice.minutes * 60_000 * shares[subject]) / all);
    if (code !== exitCodes.ok) return code;
  }
  return exitCodes.ok;
}

/** Seeds of one subject, one after the other, for so long, and of the cluster so many. The last one may take a little longer. */
async function searchIn(subject: Subject, choice: Choice, forMs: number): Promise<number> {
  const { from, to, stride, twice } = choice;
  const startMs = performance.now();
  const atLeast = subject === 'cluster' ? from + choice.atLeast * stride : from;
  const hasTime = (): boolean => performance.now() < startMs + forMs;
  let seed = from;
  for (; seed <= to && (seed < atLeast || hasTime()); seed += stride) {
    const finding = await trySeed(seed, twice, subject);
    if (!finding) continue;
    console.error(`${subject}, seed ${seed}: ${finding.what}`);
    console.error(commandFor(subject, seed, choice));
    return finding.code;
  }
  if (subject === 'cluster')
    for (const line of clusterSearch.totals.lines(performance.now() - startMs)) console.log(line);
  const every = stride === 1 ? '' : `, every ${stride === 2 ? 'second' : `${stride}th`}`;
  console.log(`${subject}: ${(seed - from) / stride} seeds from ${from}${every}: every promise held`);
  return exitCodes.ok;
}

/** What repeats a finding. Of the options of a cluster it needs all that the run had: another schedule is another run, and with a
 *  checker that was left out it ends with that one's finding. */
function commandFor(subject: Subject, seed: number, choice: Choice): string {
  const { nodes, planted, scheduleFile, checkersOff, twice } = choice;
  const words = ['npm run sim --', `--of ${subject}`, `--seed ${seed}`];
  if (subject === 'cluster') {
    if (nodes !== undefined) words.push(`--nodes ${nodes}`);
    if (planted) words.push(`--plant ${planted.bug}`);
    if (scheduleFile !== undefined) words.push(`--schedule ${quoted(scheduleFile)}`);
    for (const checker of checkersOff) words.push(`--without ${quoted(checker)}`);
  }
  if (twice) words.push('--twice');
  return words.join(' ');
}

/** One word for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = await main(process.argv.slice(2));
}
