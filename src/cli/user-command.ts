/** `ringlog user`: the people of a hub's directory. */
import type { Command } from 'commander';
import { text } from 'node:stream/consumers';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { printable } from './terminal.js';

interface UserOptions extends TargetOptions {
  readonly json?: boolean;
  readonly email?: string;
}

interface Page {
  readonly users: readonly { readonly name: string; readonly since: string }[];
  readonly next?: string;
}

const askOf = ({ hub }: Target, action: string) => `/v1/hubs/${hub}/users/${action}`;
const accountsOf = ({ hub }: Target) => `/v1/admin/hubs/${hub}/users`;

export function addUserCommand(program: Command): void {
  const command = program
    .command('user')
    .description('The people of a hub that has a directory.')
    .addHelpText(
      'after',
      `
Passwords are read from standard input, or from RINGLOG_PASSWORD.

Examples:
  ringlog hub set providers people '{"type": "directory", "registration": true}'
  ringlog user register ada --email ada@example.org < password.txt
  RINGLOG_TOKEN=$(ringlog user login ada < password.txt | jq -r .token) ringlog pub chat hello
  ringlog user delete ada`,
    );
  const add = (usage: string, description: string) =>
    addTargetOptions(
      command.command(usage).description(description).option('--json', 'JSON on a terminal too'),
    );
  add('list', 'List the accounts.').action((options: UserOptions) =>
    untilInterrupted((signal) => list(options, signal)),
  );
  add('register <name>', 'Make an account.')
    .option('--email <address>', 'its e-mail address')
    .action((name: string, options: UserOptions) =>
      ask(options, async (http, target) => {
        const { email } = options;
        const password = await readPassword();
        return http.post(askOf(target, 'register'), {
          name,
          password,
          ...(email !== undefined && { email }),
        });
      }),
    );
  add('login <name>', 'Show a token of the account, good for 15 minutes.').action(
    (name: string, options: UserOptions) =>
      ask(options, async (http, target) =>
        http.post(askOf(target, 'login'), { name, password: await readPassword() }),
      ),
  );
  add('passwd <name>', 'Give the account a new password, as an administrator.').action(
    (name: string, options: UserOptions) =>
      ask(options, async (http, target) =>
        http.post(askOf(target, 'change'), { name, password: await readPassword() }),
      ),
  );
  add('show <name>', 'Show what is known of an account, as an administrator.').action(
    (name: string, options: UserOptions) =>
      ask(options, (http, target) => http.post(askOf(target, 'profile'), { name })),
  );
  add('delete <name>', 'Delete the account, and all that is known of the person.').action(
    (name: string, options: UserOptions) =>
      ask(options, (http, target) => http.delete(`${accountsOf(target)}/${encodeURIComponent(name)}`)),
  );
}

function ask(options: UserOptions, run: (http: NodeHttp, target: Target) => Promise<unknown>): Promise<void> {
  return untilInterrupted(async (signal) => {
    const target = targetOf(options, process.env);
    const answer = await run(new NodeHttp(target, signal), target);
    const { terminal, isForPeople } = createOutput(options);
    terminal.line(JSON.stringify(answer, undefined, isForPeople ? 2 : undefined));
  });
}

async function list(options: UserOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(accountsOf(target), { after, limit: 1_000 })) as Page;
    for (const user of page.users) {
      await output.print(
        () => `${user.since.slice(0, 10)}  ${printable(user.name)}`,
        () => JSON.stringify(user),
      );
    }
    after = page.next;
    more = page.next !== undefined;
  }
}

/** Never as an argument: other users of a machine can see those. */
async function readPassword(): Promise<string> {
  const fromEnvironment = process.env['RINGLOG_PASSWORD'];
  const password =
    fromEnvironment ?? (process.stdin.isTTY ? '' : (await text(process.stdin)).replace(/\r?\n$/, ''));
  if (password !== '') return password;
  throw new CommandError(exitCodes.usage, 'Give the password on standard input, or in RINGLOG_PASSWORD.');
}
