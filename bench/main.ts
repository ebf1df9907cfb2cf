/**
 * Measures Ringlog beside its floors:
 *   npm run bench [-- --only publish,fanout --quick …]
 * Exit status: 0 measured, whatever was reached; 1 a wrong result; 2 wrong usage; 130 interrupted.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { type Options, type SuiteName, parseOptions, usage } from './options.js';
import { affinity } from './processes/affinity.js';
import { killAllChildren } from './processes/child.js';
import type { Goal } from './report/goal.js';
import { Rows } from './report/rows.js';
import { surroundings, surroundingsLines } from './report/surroundings.js';
import { goalLines, tableLines } from './report/table.js';
import { clusterIdleSuite } from './suites/cluster-idle.js';
import { clusterJoinSuite } from './suites/cluster-join.js';
import { clusterReturnSuite } from './suites/cluster-return.js';
import { clusterSuite } from './suites/cluster.js';
import { documentsSuite } from './suites/documents.js';
import { fanOutSuite } from './suites/fan-out.js';
import { hubsSuite } from './suites/hubs.js';
import { idleSuite } from './suites/idle.js';
import { presenceSuite } from './suites/presence.js';
import { publishSuite } from './suites/publish.js';
import { replaySuite } from './suites/replay.js';
import { rightsSuite } from './suites/rights.js';
import { startSuite } from './suites/start.js';
import { storeSuite } from './suites/store.js';
import type { BenchContext, OpenSuite, Suite } from './suites/suite.js';

const suites: Readonly<Record<SuiteName, Suite>> = {
  publish: publishSuite,
  fanout: fanOutSuite,
  replay: replaySuite,
  idle: idleSuite,
  start: startSuite,
  store: storeSuite,
  rights: rightsSuite,
  presence: presenceSuite,
  hubs: hubsSuite,
  documents: documentsSuite,
  cluster: clusterSuite,
  'cluster-idle': clusterIdleSuite,
  'cluster-return': clusterReturnSuite,
  'cluster-join': clusterJoinSuite,
};
const payloadBytes = 128;
const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

interface Measured {
  readonly suite: Suite;
  readonly rows: Rows;
  readonly goals: readonly Goal[];
  readonly problems: readonly string[];
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (!options) {
    console.log(usage);
    return 0;
  }
  // Where this project lies, not in the system's temporary folder: that may be memory, on which a sync costs nothing.
  const below = resolve(options.data ?? `${projectRoot}/node_modules/.cache`);
  mkdirSync(below, { recursive: true });
  const directory = mkdtempSync(resolve(below, 'ringlog-bench-'));
  process.on('exit', () => {
    killAllChildren();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  const context = contextOf(options, directory);
  const around = surroundings(projectRoot, context.affinity.note);
  for (const line of surroundingsLines(around)) console.log(line);
  const measured: Measured[] = [];
  for (const name of options.only) {
    const own = { ...context, directory: join(directory, name) };
    mkdirSync(own.directory);
    measured.push(await measureSuite(suites[name], own, options.cells));
    print(measured.at(-1)!);
    rmSync(own.directory, { recursive: true, force: true, maxRetries: 5 });
  }
  if (options.json !== undefined)
    writeFileSync(options.json, JSON.stringify({ ...around, ...jsonOf(measured) }, undefined, 1));
  const problems = measured.flatMap((each) => each.problems);
  for (const problem of problems) console.log(`WRONG: ${problem}`);
  return problems.length > 0 ? 1 : 0;
}

function contextOf(options: Options, directory: string): BenchContext {
  const measureMs = options.seconds * 1_000;
  return {
    directory,
    affinity: affinity(),
    quick: options.quick,
    full: options.full,
    rounds: options.rounds,
    measureMs,
    warmUpMs: Math.max(200, measureMs / 3),
    payloadBytes,
    progress: (text) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
    },
  };
}

async function measureSuite(
  suite: Suite,
  context: BenchContext,
  cells: readonly string[],
): Promise<Measured> {
  const rows = new Rows();
  let open: OpenSuite | undefined;
  try {
    context.progress(`${suite.name}: starting`);
    open = await suite.open(context);
    const runs = open.runs.filter(({ cell }) => cells.some((text) => cell.includes(text)));
    for (let round = 1; round <= context.rounds; round++) {
      for (const { cell, target, sample } of runs) {
        context.progress(`${suite.name}, round ${round}/${context.rounds}: ${cell}, ${target}`);
        const taken = await sample(rows).catch((error: unknown) => {
          throw new Error(`${suite.name}: ${cell}, ${target}`, { cause: error });
        });
        if (taken) rows.add(cell, target, taken);
      }
    }
    return { suite, rows, goals: open.goals(rows), problems: open.problems(rows) };
  } catch (error) {
    // Loads end with an error when something is lost or doubled. The other suites are worth having all the same.
    return { suite, rows, goals: [], problems: [inspect(error)] };
  } finally {
    await open?.close();
    context.progress('');
  }
}

function print({ suite, rows, goals }: Measured): void {
  if (rows.all.length === 0) return;
  console.log(`\n${suite.title}\n`);
  for (const line of tableLines(suite.columns, rows)) console.log(line);
  console.log('');
  for (const line of goalLines(goals)) console.log(line);
}

function jsonOf(measured: readonly Measured[]): object {
  return {
    suites: measured.map(({ suite, rows, goals, problems }) => ({
      name: suite.name,
      rows: rows.all,
      goals,
      problems,
    })),
  };
}

process.exitCode = await main();
