/**
 * A list of contacts that three people change at once, on three nodes: one loses its node to SIGKILL, one its network:
 *   npm run example -- contacts [--rounds N] [--seed N] [--lose | --part] [--json]
 *
 * With `--lose` that node is cut off from the others before it is killed, and its disk is gone for good: what it alone had
 * acknowledged is lost, its author is told, and says it again. With `--part` the two nodes that live are cut off from each other for a
 * while after the third was killed: each takes changes alone, and what of them is void in the order that comes of it is said again.
 *
 * Ends with a table, and with exit status 1 where anything is lost or anybody has another list.
 */
import { parseArgs } from 'node:util';
import { countOf, runExample, table } from '../shared/program.js';
import { type Result, runContacts } from './run.js';

const usage = 'usage: contacts [--rounds N] [--seed N] [--lose | --part] [--json]';

async function main(signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      lose: { type: 'boolean', default: false },
      part: { type: 'boolean', default: false },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [rounds, seed] = [countOf('--rounds', values.rounds), countOf('--seed', values.seed)];
  const result = await runContacts({ rounds, seed, losesDisk: values.lose, parts: values.part, signal });
  console.log(values.json ? JSON.stringify(result) : told(result));
  return result.problems.length === 0 ? 0 : 1;
}

function told({ people, nodes, contacts, seconds, problems }: Result): string {
  const rows = people.map(({ name, before, after, changes, queued, refused, lost, again, awayMs }) => [
    name,
    before === after ? before : `${before} → ${after}`,
    `${changes}`,
    `${queued}`,
    `${refused}`,
    `${lost}`,
    `${again}`,
    awayMs === 0 ? '–' : `${awayMs} ms`,
  ]);
  return [
    table([
      ['who', 'node', 'changes', 'while cut off', 'refused', 'lost', 'said again', 'without a node'],
      ...rows,
    ]),
    '',
    table([
      ['node', 'version', 'list'],
      ...nodes.map(({ name, version, hash }) => [name, `${version}`, hash]),
    ]),
    '',
    `${contacts} contacts after ${seconds.toFixed(1)} s`,
    problems.length === 0 ? 'Nothing is lost, and all have the same list.' : problems.join('\n'),
  ].join('\n');
}

process.exitCode = await runExample('contacts', usage, main);
