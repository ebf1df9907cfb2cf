/** `ringlog status`: how a node is. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import type { MemberJson } from './node-command.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Terminal, formatCount } from './terminal.js';

interface StatusJson {
  readonly nodeId: string;
  readonly storeId: string;
  readonly writer: string;
  readonly version: string;
  readonly state: string;
  readonly startedUnixMs: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly connections: number;
  readonly channelsInMemory: number;
  readonly diskFull: boolean;
  readonly counters: Readonly<Record<string, number>>;
  readonly cluster?: {
    readonly ringVersion: number;
    readonly settled: boolean;
    readonly members: readonly MemberJson[];
    readonly intervals: Readonly<Record<'all' | 'held' | 'wanted' | 'owned' | 'recovering', number>>;
  };
}

export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('Show how a node is. Ends with 5 when it does not serve.')
    .option('--json', 'JSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog status
  ringlog status --url http://10.0.0.5:8080 --token-file ./token --json | jq .counters`,
    )
    .action((options: TargetOptions & { json?: boolean }) =>
      untilInterrupted((signal) => showStatus(options, signal)),
    );
}

async function showStatus(options: TargetOptions & { json?: boolean }, signal: AbortSignal): Promise<void> {
  const http = new NodeHttp(targetOf(options, process.env), signal);
  const output = createOutput(options);
  const status = (await http.json('/v1/admin/status')) as StatusJson;
  if (output.isForPeople) show(output.terminal, status);
  else output.terminal.line(JSON.stringify(status));
  if (status.state !== 'serving') {
    throw new CommandError(exitCodes.unavailable, `The node is ${status.state} and does not serve now.`);
  }
}

function show({ style, line }: Pick<Terminal, 'style' | 'line'>, status: StatusJson): void {
  const state = status.state === 'serving' ? style.green(status.state) : style.red(status.state);
  const say = (label: string, text: string) => line(`  ${style.dim(label.padEnd(14))} ${text}`);
  line(`${style.bold('Ringlog')} ${status.version}: ${state}`);
  say('node', status.nodeId);
  say('store', status.storeId);
  say('writer', status.writer);
  say('started', new Date(status.startedUnixMs).toISOString());
  say('sessions', `${formatCount(status.sessions)} with ${formatCount(status.subscriptions)} subscriptions`);
  say('connections', formatCount(status.connections));
  say('channels', `${formatCount(status.channelsInMemory)} in memory`);
  if (status.diskFull) say('disk', style.red('full: publishes are refused until there is space'));
  if (status.cluster) showCluster(say, status.cluster);
  for (const [name, value] of Object.entries(status.counters)) say(name, formatCount(value));
}

function showCluster(
  say: (label: string, text: string) => void,
  { ringVersion, settled, members, intervals }: NonNullable<StatusJson['cluster']>,
): void {
  const { all, held, wanted, owned, recovering } = intervals;
  const linked = members.filter((member) => member.linked).length;
  say('ring', `version ${ringVersion}${settled ? '' : ', not settled yet'}`);
  say('peers', `${formatCount(members.length)} known, ${formatCount(linked)} linked`);
  say('holds', `${formatCount(held)} of ${formatCount(all)} intervals`);
  say('acts for', `${formatCount(owned)}${owned === wanted ? '' : `, should for ${formatCount(wanted)}`}`);
  if (recovering > 0) say('recovers', formatCount(recovering));
}
