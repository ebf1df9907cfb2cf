/** `ringlog hub`: hubs and what goes in them, changed while the nodes run. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { sections } from '../hubs/change.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { startFrom } from './time-argument.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';

type HubCommandOptions = TargetOptions & { json?: boolean };
type Run = (http: NodeHttp, target: Target, ...given: string[]) => Promise<unknown>;

const settingsOf = ({ hub }: Target) => `/v1/admin/hubs/${hub}/settings`;
const settingOf = (target: Target, section: string, name: string) =>
  `${settingsOf(target)}/${encodeURIComponent(section)}/${encodeURIComponent(name)}`;

const help = `
Sections of settings: ${sections.join(', ')}.

Examples:
  ringlog hub create acme
  ringlog hub set rules members '{"public": false, "clientPublish": false}' --hub acme
  ringlog hub set namespaces room '"members"' --hub acme
  ringlog hub set providers main "$(cat issuer.json)" --hub acme
  ringlog hub set hub bytesMax 10000000000 --hub acme
  ringlog hub set hub channelsPerSecondMax 100 --hub acme
  ringlog hub revoke ada --hub acme
  ringlog hub revoke ada 2h --hub acme
  ringlog hub accept-losses acme
  ringlog hub delete acme acme
  ringlog hub export --hub acme > acme.json
  ringlog hub import acme.json --hub other`;

export function addHubCommand(program: Command): void {
  const command = program
    .command('hub')
    .description('Hubs, and what goes in them.')
    .addHelpText('after', help);
  const add = (usage: string, description: string, run: Run): void => {
    addTargetOptions(
      command.command(usage).description(description).option('--json', 'JSON on a terminal too'),
    ).action((...given: unknown[]) => {
      const options = given.at(-2) as HubCommandOptions;
      return untilInterrupted((signal) => ask(run, options, given.slice(0, -2) as string[], signal));
    });
  };
  add('list', 'List the hubs.', (http) => http.json('/v1/admin/hubs'));
  add('create <hub>', 'Make a hub.', (http, _target, hub) =>
    http.put(`/v1/admin/hubs/${encodeURIComponent(hub!)}`),
  );
  add(
    'delete <hub> <hub-again>',
    'Delete a hub and all it holds, for good; say its name twice.',
    (http, _target, hub, again) => {
      if (hub !== again) throw new CommandError(exitCodes.usage, 'The two names differ. Nothing is deleted.');
      return http.delete(`/v1/admin/hubs/${encodeURIComponent(hub!)}`);
    },
  );
  add(
    'export',
    'Show what was set at run time, secrets included: the file that import takes.',
    (http, target) => http.json(settingsOf(target)),
  );
  add(
    'import <file>',
    'Replace all that was set at run time; "-" reads standard input.',
    (http, target, file) => http.put(settingsOf(target), jsonFrom(readText(file!))),
  );
  add(
    'set <section> <name> <value>',
    'Put one setting; the value is JSON.',
    (http, target, section, name, value) => http.put(settingOf(target, section!, name!), jsonFrom(value!)),
  );
  add(
    'revoke <user> [until]',
    'End a user’s sessions, and take none of the tokens that it was issued until then; left out: until now, by the clock of the node.',
    (http, target, user, until) =>
      http.put(settingOf(target, 'revoked', user!), until === undefined ? 'now' : unixMsFrom(until)),
  );
  add(
    'accept-losses <hub>',
    'Go on without entries of the hub’s people and groups that no node has any more. Until then nobody is let in or known to be in a group.',
    (http, _target, hub) => http.post(`/v1/admin/hubs/${encodeURIComponent(hub!)}/losses/accept`, {}),
  );
  add('unset <section> <name>', 'Remove one setting.', (http, target, section, name) =>
    http.delete(settingOf(target, section!, name!)),
  );
}

async function ask(
  run: Run,
  options: HubCommandOptions,
  given: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const target = targetOf(options, process.env);
  const answer = await run(new NodeHttp(target, signal), target, ...given);
  const output = createOutput(options);
  const isList = typeof answer === 'object' && answer !== null && 'hubs' in answer;
  if (isList && output.isForPeople) {
    for (const hub of (answer as { hubs: readonly string[] }).hubs) output.terminal.line(hub);
  } else output.terminal.line(JSON.stringify(answer, undefined, output.isForPeople ? 2 : undefined));
}

/** A time that is said, as it is typed for `--since`. */
function unixMsFrom(text: string): number {
  const start = startFrom(text);
  if (typeof start === 'object' && 'since' in start) return Number(start.since);
  throw new CommandError(exitCodes.usage, 'This is no time. Say one as 2026-01-31T12:00:00Z, or 10m.');
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CommandError(exitCodes.usage, `The file cannot be read: ${(error as Error).message}.`);
  }
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(
      exitCodes.usage,
      `This is not JSON: ${text.slice(0, 80)}\nA text is written '"so"'.`,
    );
  }
}
