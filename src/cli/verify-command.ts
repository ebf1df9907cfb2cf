/** `ringlog verify`: proof that all homes hold the same. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Terminal, formatCount, printable, terminalOn } from './terminal.js';
import { type VerifyJson, type VerifyPageJson, differencesMax, verifyAll } from './verify-pages.js';

type VerifyCommandOptions = TargetOptions & { json?: boolean; repair?: boolean; after?: string };

const differencesShown = 100;

export function addVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .description('Read all data from the disks of all nodes, and prove that they hold the same.')
    .option('--repair', 'have the nodes bring together what differs, and prove it again')
    .option('--after <place>', 'go on where an interrupted verification stopped')
    .option('--json', 'JSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Any node can be asked: every part of the ring is compared by its own homes. Ends with 0 when all were reached and hold the
same; with 1, and what differs, when not. Channels that take entries without a pause cannot be proven equal at one moment:
they are told as "entries"; ask again when they rest.

Examples:
  ringlog verify
  ringlog verify --repair
  ringlog verify --json | jq '.differences[].channel'`,
    )
    .action((options: VerifyCommandOptions) => untilInterrupted((signal) => verify(options, signal)));
}

async function verify(options: VerifyCommandOptions, signal: AbortSignal): Promise<void> {
  const http = new NodeHttp(targetOf(options, process.env), signal);
  const output = createOutput(options);
  const progress = terminalOn(process.stderr, process.env);
  const total = await verifyAll({
    page: (after) => askPage(http, { after, repair: options.repair === true }),
    after: options.after,
    progress: (done) => progress.progress('  reading', done, 1),
  }).catch((error: unknown) => {
    progress.clear();
    throw error;
  });
  progress.clear();
  await tell(output, total, options.repair === true);
  if (!total.equal) throw new CommandError(exitCodes.failed, '');
}

async function askPage(
  http: NodeHttp,
  { after, repair }: { readonly after: string | undefined; readonly repair: boolean },
): Promise<VerifyPageJson> {
  const body = { ...(after !== undefined && { after }), ...(repair && { repair }) };
  try {
    return (await http.post('/v1/admin/cluster/verify', body)) as VerifyPageJson;
  } catch (error) {
    if (!(error instanceof CommandError) || after === undefined) throw error;
    const hint = `Go on with \`ringlog verify --after ${after}\`.`;
    throw new CommandError(error.exitCode, `${error.message}\n${hint}`);
  }
}

async function tell(output: Output, total: VerifyJson, isRepair: boolean): Promise<void> {
  if (output.isForPeople) show(output.terminal, total, isRepair);
  else
    await output.print(
      () => '',
      () => JSON.stringify(total),
    );
}

/** For people. */
export function show(
  { style, line }: Pick<Terminal, 'style' | 'line'>,
  { equal, channels, entries, homes, differences, more, repaired }: VerifyJson,
  isRepair: boolean,
): void {
  const verdict = equal ? style.green('all homes are equal') : style.red('not proven equal');
  line(
    `${style.bold('Verified')} ${formatCount(channels)} channels, ${formatCount(entries)} entries: ${verdict}`,
  );
  for (const { node, state } of homes)
    line(`  ${node}  ${state === 'equal' ? style.green(state) : style.red(sentences[state] ?? state)}`);
  if (repaired > 0) line(`  ${formatCount(repaired)} differences repaired`);
  const shown = differences.slice(0, differencesShown);
  for (const { hub, channel, interval, kind, homes: compared, at } of shown) {
    const what = at === undefined ? `${kind} differ` : `missing at ${at}`;
    const how = kind === 'unreadable' ? 'unreadable' : what;
    line(
      `  ${printable(`${hub}/${channel}`)}  ${how}  ${style.dim(`interval ${interval}, homes ${compared.join(' ')}`)}`,
    );
  }
  const hidden = differences.length - shown.length + more;
  if (hidden > 0)
    line(`  and ${formatCount(hidden)} more; --json lists up to ${formatCount(differencesMax)}`);
  if (!equal && !isRepair && differences.length > 0)
    line('  `ringlog verify --repair` has the nodes bring together what differs.');
}

const sentences: Readonly<Record<string, string>> = {
  unreachable: 'unreachable: start it, or let it go, then verify again',
  interrupted: 'interrupted: a link broke or the ring changed; verify again',
  late: 'not read in time; verify again',
};
