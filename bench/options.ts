/** Arguments of `npm run bench`. */
import { parseArgs } from 'node:util';

export const suiteNames = [
  'publish',
  'fanout',
  'replay',
  'idle',
  'start',
  'store',
  'rights',
  'presence',
  'hubs',
  'documents',
  'cluster',
  'cluster-idle',
  'cluster-return',
  'cluster-join',
] as const;
export type SuiteName = (typeof suiteNames)[number];

export const usage = `usage: npm run bench -- [options]

  --only <a,b>     suites: ${suiteNames.join(', ')} 
                   (default: all but hubs and those of clusters)
  --cluster        three nodes beside one: the suite cluster alone
  --cells <a|b>    only cells whose name holds one of these texts
  --full           presence of 10,000 and 100,000 hubs, in place of 1,000 and 2,000
  --quick          one short round, and less on disk
  --rounds <n>     medians are of so many (default: 3)
  --seconds <n>    measured in each cell and round (default: 1)
  --json <file>    all samples as JSON
  --data <dir>     where the data goes: the disk that is measured (default: below this project)`;

export interface Options {
  readonly only: readonly SuiteName[];
  /** A cell is measured when its name holds one of these. */
  readonly cells: readonly string[];
  readonly quick: boolean;
  /** The suites `presence` and `hubs` at their whole size. */
  readonly full: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: string | undefined;
  readonly data: string | undefined;
}

/** Undefined when the usage was asked for; throws what is wrong. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      cluster: { type: 'boolean' },
      cells: { type: 'string' },
      quick: { type: 'boolean' },
      full: { type: 'boolean' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return undefined;
  const quick = values.quick === true;
  return {
    only: suitesOf(values.only, values.cluster === true),
    cells: values.cells?.split('|') ?? [''],
    quick,
    full: values.full === true,
    rounds: numberOf('--rounds', values.rounds, { fallback: quick ? 1 : 3, max: 100 }),
    seconds: numberOf('--seconds', values.seconds, { fallback: quick ? 0.5 : 1, max: 600 }),
    json: values.json,
    data: values.data,
  };
}

/** Three more nodes and a minute, and two minutes of waiting: they are asked for. */
const asked: readonly SuiteName[] = ['hubs', 'cluster', 'cluster-idle', 'cluster-return', 'cluster-join'];

function suitesOf(only: string | undefined, isCluster: boolean): readonly SuiteName[] {
  const named = only?.split(',').map(suiteName) ?? [];
  if (isCluster) return [...new Set([...named, 'cluster' as const])];
  return only === undefined ? suiteNames.filter((name) => !asked.includes(name)) : named;
}

function suiteName(text: string): SuiteName {
  const found = suiteNames.find((name) => name === text);
  if (!found) throw new Error(`--only takes ${suiteNames.join(', ')}, not "${text}"`);
  return found;
}

function numberOf(
  name: string,
  text: string | undefined,
  { fallback, max }: { fallback: number; max: number },
) {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0 && value <= max))
    throw new Error(`${name} is a number above 0 and up to ${max}, not "${text}"`);
  return value;
}
