/** `ringlog node`: the nodes of the cluster, and letting one go. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Terminal, formatCount } from './terminal.js';

export interface MemberJson {
  readonly node: string;
  readonly state: string;
  readonly address: string;
  readonly linked: boolean;
  readonly reachable: boolean;
  /** 0 to 1. */
  readonly load: number;
}

export interface ClusterJson {
  readonly alone: boolean;
  readonly node: string;
  readonly ring?: {
    readonly cluster: string;
    readonly version: number;
    readonly replicas: number | 'all';
    readonly members: readonly { readonly node: string; readonly state: string }[];
    readonly change?: {
      readonly kind: string;
      readonly phase: string;
      readonly intervals: number;
      readonly short: number;
      readonly waitingFor: readonly string[];
    };
  };
  readonly seen?: { readonly load: number; readonly members: readonly MemberJson[] };
}

type NodeOptions = TargetOptions & { json?: boolean };

export function addNodeCommand(program: Command): void {
  const command = program.command('node').description('The nodes of the cluster.');
  addTargetOptions(
    command.command('list').description('List the nodes.').option('--json', 'JSON on a terminal too'),
  ).action((options: NodeOptions) => untilInterrupted((signal) => list(options, signal)));
  const change = (name: 'drain' | 'remove', description: string, help: string): void => {
    addTargetOptions(
      command
        .command(name)
        .argument('<node>', 'id of a node, or how it begins')
        .description(description)
        .option('--json', 'JSON on a terminal too'),
    )
      .addHelpText('after', `\n${help}`)
      .action((node: string, options: NodeOptions) =>
        untilInterrupted((signal) => letGo(name, node, options, signal)),
      );
  };
  change(
    'drain',
    'Let a node go that is there: what it holds goes to others first.',
    'Stop the node once `ringlog node list` shows it no more.',
  );
  change(
    'remove',
    'Let a node go that does not come back.',
    'Others take over what it held. Where fewer copies than a majority are left, that is refused.',
  );
}

async function list(options: NodeOptions, signal: AbortSignal): Promise<void> {
  const http = new NodeHttp(targetOf(options, process.env), signal);
  const output = createOutput(options);
  const cluster = (await http.json('/v1/admin/cluster')) as ClusterJson;
  if (output.isForPeople) showCluster(output.terminal, cluster);
  else output.terminal.line(JSON.stringify(cluster));
}

async function letGo(
  kind: 'drain' | 'remove',
  text: string,
  options: NodeOptions,
  signal: AbortSignal,
): Promise<void> {
  const http = new NodeHttp(targetOf(options, process.env), signal);
  const output = createOutput(options);
  const { ring } = (await http.json('/v1/admin/cluster')) as ClusterJson;
  const found = (ring?.members ?? []).filter(({ node }) => node.startsWith(text));
  if (found.length !== 1) {
    const why = found.length === 0 ? 'is no node of the ring' : 'is the beginning of several ids';
    throw new CommandError(exitCodes.usage, `"${text}" ${why}: \`ringlog node list\` shows them.`);
  }
  const answer = await http.post('/v1/admin/cluster/changes', { kind, node: found[0]!.node });
  if (!output.isForPeople) return output.terminal.line(JSON.stringify(answer));
  output.terminal.line(
    `Begun, with version ${(answer as { version: number }).version} of the ring. \`ringlog node list\` shows how far it is.`,
  );
}

/** For people. */
export function showCluster(
  { style, line }: Pick<Terminal, 'style' | 'line'>,
  { alone, node: self, ring, seen }: ClusterJson,
): void {
  if (alone || !ring) return line(`Node ${self} is alone: no other node was found.`);
  const copies = ring.replicas === 'all' ? 'a copy on every node' : `${ring.replicas} copies`;
  line(`Ring of ${formatCount(ring.members.length)}, version ${ring.version}, ${copies}`);
  const members = new Map((seen?.members ?? []).map((member) => [member.node, member]));
  for (const { node, state } of ring.members) {
    const member = members.get(node);
    const mark = node === self ? `this node, ${busyText(seen?.load ?? 0)}` : healthOf(member);
    const shown = node === self || member?.reachable ? style.green(mark) : style.red(mark);
    line(`  ${node}  ${state.padEnd(8)} ${(member?.address ?? '').padEnd(21)} ${shown}`);
  }
  for (const { node, address, state } of members.values())
    if (!ring.members.some((each) => each.node === node))
      line(`  ${node}  ${style.dim('no member')} ${address.padEnd(21)} ${state}`);
  if (!ring.change) return;
  const { kind, phase, intervals, short, waitingFor } = ring.change;
  const waits = waitingFor.length === 0 ? '' : `; waits for ${waitingFor.join(', ')}`;
  line(`  ${kind} under way, ${phase}: ${intervals - short} of ${intervals} intervals ready${waits}`);
}

/** For how much of the time a node had work lately. */
export function busyText(load: number): string {
  return `busy ${Math.round(100 * load)} %`;
}

function healthOf(member: MemberJson | undefined): string {
  if (!member) return 'not seen';
  if (member.reachable) return `reachable, ${busyText(member.load)}`;
  return member.linked ? `${member.state}, linked only` : member.state;
}
