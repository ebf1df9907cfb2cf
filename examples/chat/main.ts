/**
 * A chat of people and groups on three nodes.
 *   npm run example -- chat [--rounds N] [--seed N] [--json]
 * lets three people race for names, talk, leave, and a node die; ends with a table, and with exit status 1 where anything is lost.
 *   npm run example -- chat --name ada
 * starts three nodes to chat on in this terminal, and says how others come in from theirs (--at URL,URL).
 */
import { parseArgs } from 'node:util';
import { InputError, countOf, runExample, table } from '../shared/program.js';
import { type Result, runChat } from './run.js';
import { talk } from './talk.js';

const usage = `usage: chat [--rounds N] [--seed N] [--json]
       chat --name NAME [--at URL,URL] [--password TEXT]`;

async function main(signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '150' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean' },
      name: { type: 'string' },
      at: { type: 'string' },
      password: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const { name, at } = values;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (name !== undefined) {
    const urls = at === undefined ? [] : at.split(',');
    await talk(name, urls, values.password ?? `password of ${name}`, signal);
    return 0;
  }
  if (at !== undefined) throw new InputError('--at goes with --name');
  const [rounds, seed] = [countOf('--rounds', values.rounds), countOf('--seed', values.seed)];
  const result = await runChat(rounds, seed, signal);
  console.log(values.json ? JSON.stringify(result) : told(result));
  return result.problems.length === 0 ? 0 : 1;
}

function told({ people, nodes, maker, seconds, problems }: Result): string {
  const channels = Object.keys(nodes[0]!.messages);
  return [
    table([
      ['who', 'node', 'said', 'heard', 'late', 'alone', 'without a node'],
      ...people.map(({ name, before, after, said, heard, late, alone, awayMs }) => [
        name,
        before === after ? before : `${before} → ${after}`,
        `${said}`,
        `${heard}`,
        `${late}`,
        `${alone}`,
        awayMs === 0 ? '–' : `${awayMs} ms`,
      ]),
    ]),
    '',
    table([
      ['node', ...channels],
      ...nodes.map(({ name, messages }) => [name, ...channels.map((each) => `${messages[each]}`)]),
    ]),
    '',
    `${maker} made the group that all wanted; ${seconds.toFixed(1)} s`,
    problems.length === 0
      ? 'Nothing is lost, nothing is there twice, and all was read.'
      : problems.join('\n'),
  ].join('\n');
}

process.exitCode = await runExample('chat', usage, main);
