/** `ringlog status`: how a node is. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { type MemberJson, busyText } from './node-command.js';
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
  readonly cluster?: ClusterStatusJson;
}

export interface ClusterStatusJson {
  readonly ringVersion: number;
  readonly settled: boolean;
  /** 0 to 1. */
  readonly load: number;
  readonly members: readonly MemberJson[];
  readonly intervals: Readonly<Record<'all' | 'held' | 'wanted' | 'owned' | 'recovering', number>>;
  readonly shares: readonly { readonly node: string; readonly holds: number; readonly first: number }[];
  readonly claims: {
    readonly owners: readonly { readonly node: string; readonly intervals: number }[];
    readonly unowned: number;
  };
  readonly waiting: number;
  readonly homes: readonly {
    readonly node: string;
    readonly lacking?: number;
    readonly compared?: { readonly agoMs: number; readonly equal: boolean };
  }[];
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
  if (status.cluster)
    for (const [label, text] of clusterLines(status.nodeId, status.cluster)) say(label, text);
  for (const [name, value] of Object.entries(status.counters)) say(name, formatCount(value));
}

/** Label and text of each line. */
export function* clusterLines(
  self: string,
  cluster: ClusterStatusJson,
): Generator<readonly [string, string], void, undefined> {
  const { ringVersion, settled, members, intervals, shares, claims, waiting, homes } = cluster;
  const { all, held, wanted, owned, recovering } = intervals;
  const linked = members.filter((member) => member.linked).length;
  yield ['ring', `version ${ringVersion}${settled ? '' : ', not settled yet'}`];
  yield ['peers', `${formatCount(members.length)} known, ${formatCount(linked)} linked`];
  yield ['holds', `${formatCount(held)} of ${formatCount(all)} intervals`];
  yield ['acts for', `${formatCount(owned)}${owned === wanted ? '' : `, should for ${formatCount(wanted)}`}`];
  if (recovering > 0) yield ['recovers', formatCount(recovering)];
  if (claims.unowned > 0) yield ['without owner', `${formatCount(claims.unowned)} of those it holds`];
  if (waiting > 0) yield ['waiting', `${formatCount(waiting)} entries for a majority`];
  const owners = new Map(claims.owners.map(({ node, intervals: count }) => [node, count]));
  const seen = new Map(members.map((member) => [member.node, member]));
  const others = new Map(homes.map((home) => [home.node, home]));
  for (const { node, holds, first } of shares) {
    const told = [
      `holds ${percent(holds)}, first ${percent(first)}, owns ${formatCount(owners.get(node) ?? 0)} here`,
    ];
    if (node === self) told.push('this node', busyText(cluster.load));
    else {
      const member = seen.get(node);
      told.push(member?.reachable ? 'reachable' : (member?.state ?? 'not seen'));
      if (member?.reachable) told.push(busyText(member.load));
      const home = others.get(node);
      if (home) told.push(lagOf(home), convergenceOf(home));
    }
    yield ['member', `${node}  ${told.join('; ')}`];
  }
  for (const { node, state, address, reachable } of members)
    if (!shares.some((share) => share.node === node))
      yield ['no member', `${node}  ${address}, ${reachable ? 'reachable' : state}`];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What this node lacks of it. */
function lagOf({ lacking }: ClusterStatusJson['homes'][number]): string {
  if (lacking === undefined) return 'not known how far behind it';
  return lacking === 0 ? 'up to date with it' : `${formatCount(lacking)} channels behind it`;
}

function convergenceOf({ compared }: ClusterStatusJson['homes'][number]): string {
  if (!compared) return 'not compared yet';
  return `${compared.equal ? 'equal' : 'differed'} ${formatCount(Math.round(compared.agoMs / 1_000))} s ago`;
}
