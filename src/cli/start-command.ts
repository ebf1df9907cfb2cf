/** `ringlog start`: one node in this process, until Ctrl-C. */
import type { Command } from 'commander';
import { settings } from '../server/config-settings.js';
import { ConfigError, type LoadedConfig, loadConfig } from '../server/config.js';
import { type RunningServer, compose } from '../server/compose.js';
import { packageVersion } from '../server/version.js';
import { BootReport } from './boot-report.js';
import { paceCollections } from './collection-pace.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { type Terminal, terminalOn } from './terminal.js';

export function addStartCommand(program: Command): void {
  const command = program
    .command('start')
    .description('Run a node here. Every setting may also stand in ringlog.yaml or in the environment.')
    .option(
      '--config <file>',
      'configuration file (RINGLOG_CONFIG; default: ringlog.yaml where there is one)',
    );
  for (const setting of settings) {
    const value =
      setting.type === 'boolean' ? '[boolean]' : `<${setting.choices?.join('|') ?? setting.type}>`;
    const fallback = String(setting.default) || 'none';
    command.option(
      `${setting.flag} ${value}`,
      `${setting.description} (${setting.environment}; default: ${fallback})`,
    );
  }
  command
    .addHelpText(
      'after',
      `
Examples:
  ringlog start                                        on 127.0.0.1:8080, data in ./ringlog-data
  ringlog start --data /var/lib/ringlog --listen 127.0.0.1:9000
  ringlog start --listen 0.0.0.0:8080 --auth-anonymous=false
  RINGLOG_SESSION_PING_INTERVAL_MS=10000 ringlog start
  ringlog start --data ./second                        a second node on this machine joins the first
  ringlog start --cluster-key-file cluster.key --join 10.0.0.5:7946,10.0.0.6:7946`,
    )
    .action(async (options: Record<string, string | boolean>) => start(options));
}

async function start(options: Readonly<Record<string, string | boolean>>): Promise<void> {
  const terminal = terminalOn(process.stdout, process.env);
  const loaded = load(options);
  const report = new BootReport(terminal, packageVersion());
  if (loaded.file !== undefined) terminal.line(`  ${terminal.style.dim('Settings  ')} ${loaded.file}`);
  for (const warning of loaded.warnings) terminal.line(`  ${terminal.style.yellow(warning)}`);
  const interrupted = nextInterrupt();
  const server = await boot(loaded, report, terminal);
  report.ready(server);
  // Not before: reading a large store again makes much garbage, and is in a hurry.
  paceCollections();
  const reason = await Promise.race([interrupted, server.failed]);
  if (reason === undefined) report.stopping();
  void secondInterrupt().then(() => process.exit(exitCodes.interrupted));
  await server.stop();
  if (reason !== undefined) {
    throw new CommandError(
      exitCodes.failed,
      `The node stopped: ${reason}\nStart it again once the cause is removed; docs/operations.md says more.`,
    );
  }
  report.stopped();
}

async function boot(loaded: LoadedConfig, report: BootReport, terminal: Terminal): Promise<RunningServer> {
  try {
    return await compose(loaded.config, {
      portIsDefault: !loaded.sources.has('listen'),
      ...clusterKey(),
      onStep: (step) => report.step(step),
      // Log lines are for machines; a person is told what matters in words.
      logDestination:
        terminal.isInteractive && process.stderr.isTTY
          ? { write: (line) => report.logLine(line) }
          : process.stderr,
    });
  } catch (error) {
    throw asCommandError(error, loaded);
  }
}

function clusterKey(): { clusterKey?: string } {
  const key = process.env['RINGLOG_CLUSTER_KEY'];
  return key === undefined ? {} : { clusterKey: key };
}

function load(options: Readonly<Record<string, string | boolean>>): LoadedConfig {
  const flags: Record<string, string> = {};
  for (const setting of settings) {
    const value = options[camelCase(setting.flag)];
    if (value !== undefined) flags[setting.key] = String(value);
  }
  const file = options['config'];
  try {
    return loadConfig({ environment: process.env, flags, ...(typeof file === 'string' && { file }) });
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(exitCodes.usage, error.message);
    throw error;
  }
}

/** As commander names the option's value. */
function camelCase(flag: string): string {
  return flag.replace(/^--/, '').replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The data directory and the address are the user's to choose, so what is wrong with them is told without a stack. */
function asCommandError(error: unknown, { config }: LoadedConfig): unknown {
  if (error instanceof ConfigError) return new CommandError(exitCodes.failed, error.message);
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'LockHeldError') {
    return new CommandError(
      exitCodes.failed,
      `${message}\nStop that node, or give this one its own directory with --data.`,
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new CommandError(
      exitCodes.failed,
      `The data directory ${config.data} cannot be written: ${message}.\nChoose another with --data.`,
    );
  }
  if (code === 'ENOSPC') {
    return new CommandError(
      exitCodes.failed,
      `The disk of ${config.data} is full. Free space, then start again.`,
    );
  }
  return error;
}

function nextInterrupt(): Promise<undefined> {
  return new Promise((resolve) => {
    const done = () => {
      for (const signal of signals) process.off(signal, done);
      resolve(undefined);
    };
    for (const signal of signals) process.on(signal, done);
  });
}

/** One Ctrl-C may arrive twice: from the terminal, and from npm, which passes on what it got too. */
async function secondInterrupt(): Promise<void> {
  const begun = performance.now();
  do await nextInterrupt();
  while (performance.now() - begun < sameInterruptMs);
}

const sameInterruptMs = 500;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
