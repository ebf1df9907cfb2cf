/** The `ringlog` command. */
import { Command, CommanderError } from 'commander';
import { packageVersion } from '../server/version.js';
import { addBenchCommand } from './bench-command.js';
import { addCallCommand } from './call-command.js';
import { addChannelCommand, addChannelsCommand } from './channels-command.js';
import { addDocCommand } from './doc-command.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { addGroupCommand } from './group-command.js';
import { addHubCommand } from './hub-command.js';
import { addKeyCommand } from './key-command.js';
import { addLogCommand } from './log-command.js';
import { addNotifyCommand } from './notify-command.js';
import { addNodeCommand } from './node-command.js';
import { addPresenceCommand } from './presence-command.js';
import { addPubCommand } from './pub-command.js';
import { addReceiptsCommand } from './receipts-command.js';
import { addRedactCommand } from './redact-command.js';
import { addStatusCommand } from './status-command.js';
import { addSubCommand } from './sub-command.js';
import { terminalOn } from './terminal.js';
import { addVerifyCommand } from './verify-command.js';
import { addUserCommand } from './user-command.js';

export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('ringlog')
    .description('A durable, replicated event log with a realtime publish/subscribe front end.')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('Say `ringlog --help` for all commands.')
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .exitOverride();
  await addStartCommand(program, argv);
  addPubCommand(program);
  addSubCommand(program);
  addLogCommand(program);
  addDocCommand(program);
  addNotifyCommand(program);
  addPresenceCommand(program);
  addCallCommand(program);
  addChannelsCommand(program);
  addChannelCommand(program);
  addRedactCommand(program);
  addStatusCommand(program);
  addNodeCommand(program);
  addHubCommand(program);
  addUserCommand(program);
  addGroupCommand(program);
  addReceiptsCommand(program);
  addKeyCommand(program);
  addBenchCommand(program);
  addVerifyCommand(program);
  try {
    await program.parseAsync([...argv]);
    return exitCodes.done;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** Only who starts a node, or asks how, waits for all of it to be loaded. */
async function addStartCommand(program: Command, argv: readonly string[]): Promise<void> {
  if (['start', 'help'].includes(argv[2] ?? '')) {
    (await import('./start-command.js')).addStartCommand(program);
  } else {
    program.command('start').description('Run a node here.');
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const terminal = terminalOn(process.stderr, process.env);
  const prefix = terminal.style.red('ringlog:');
  if (error instanceof CommandError) {
    if (error.message !== '') terminal.line(`${prefix} ${error.message}`);
    return error.exitCode;
  }
  terminal.line(`${prefix} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return exitCodes.failed;
}

const exitCode = await main(process.argv);
// Done is done: a connection that is still closing is not waited for, what was printed is.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
