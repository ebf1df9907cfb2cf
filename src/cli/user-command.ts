/** `ringlog user`: the people of a hub's directory. */
import type { Command } from 'commander';
import { loginMessage } from '../client/people.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { keyPairIn, newKeyFile } from './key-file.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { currentPassword, password } from './passwords.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { printable } from './terminal.js';

interface UserOptions extends TargetOptions {
  readonly json?: boolean;
  readonly keyFile?: string;
  readonly newKeyFile?: string;
  readonly password?: boolean;
  readonly currentPassword?: boolean;
  /** False: none any more. */
  readonly email?: string | false;
  readonly metadata?: string;
}

interface Page {
  readonly users: readonly { readonly name: string; readonly since: string }[];
  readonly next?: string;
}

/** The same for a user and an administrator: the node knows by the token which of them asks. */
const askOf = ({ hub }: Target, action: string) => `/v1/hubs/${hub}/users/${action}`;

export function addUserCommand(program: Command): void {
  const command = program
    .command('user')
    .description('The people of a hub that has a directory.')
    .addHelpText(
      'after',
      `
With a user's token it is that user who asks, of its own account; an administrator names any account.

Passwords are read from standard input, or from RINGLOG_PASSWORD. With --current-password the present one
is the first line of standard input, or in RINGLOG_CURRENT_PASSWORD. A new password or key takes the present
password or a signature by the present key (--key-file), unless an administrator asks.

Examples:
  ringlog hub set providers people '{"type": "directory", "registration": true}'
  ringlog user register ada --email ada@example.org < password.txt
  RINGLOG_TOKEN=$(ringlog user login ada < password.txt | jq -r .token) ringlog pub chat hello
  ringlog user key new bob.pem
  ringlog user register bob --key-file bob.pem
  ringlog user login bob --key-file bob.pem | jq -r .token > bob.token
  ringlog user change bob --metadata '{"team": "blue"}' --token-file bob.token
  ringlog user change bob --new-key-file new.pem --key-file bob.pem --token-file bob.token
  cat present.txt new.txt | ringlog user passwd ada --current-password --token-file ada.token
  ringlog user delete ada`,
    );
  const add = addTo(command);
  add('list', 'List the accounts.').action((options: UserOptions) =>
    untilInterrupted((signal) => list(options, signal)),
  );
  addEntering(add);
  addChanging(add);
  addKeys(command.command('key').description('Keys that people log in and sign by.'));
}

type Add = (usage: string, description: string) => Command;

const addTo =
  (command: Command): Add =>
  (usage, description) =>
    addTargetOptions(
      command.command(usage).description(description).option('--json', 'JSON on a terminal too'),
    );

const metadata = ['--metadata <json>', 'what else is to be known of the person'] as const;

function addEntering(add: Add): void {
  add('register <name>', 'Make an account that logs in by a password, a key or both.')
    .option('--key-file <file>', 'its Ed25519 key (PEM), instead of a password')
    .option('--password', 'a password too, beside --key-file')
    .option('--email <address>', 'its e-mail address')
    .option(...metadata)
    .action((name: string, options: UserOptions) =>
      ask(options, async (http, target) => {
        const { keyFile } = options;
        const key = keyFile === undefined ? {} : { publicKey: (await keyPairIn(keyFile)).publicKey };
        const words = keyFile === undefined || options.password ? { password: await password() } : {};
        return http.post(askOf(target, 'register'), { name, ...key, ...words, ...details(options) });
      }),
    );
  add('login <name>', 'Show a token of the account, good for 15 minutes.')
    .option('--key-file <file>', 'log in by a signature of this key (PEM), instead of a password')
    .action((name: string, options: UserOptions) =>
      ask(options, async (http, target) => {
        const { keyFile } = options;
        const proof =
          keyFile === undefined
            ? { password: await password() }
            : await signedChallenge(http, target, name, keyFile);
        return http.post(askOf(target, 'login'), { name, ...proof });
      }),
    );
}

function addChanging(add: Add): void {
  const addProven = (usage: string, description: string) =>
    add(usage, description)
      .option('--current-password', 'prove who asks by the present password')
      .option('--key-file <file>', 'prove who asks by a signature of the present key (PEM)');
  addProven('passwd <name>', 'Give the account a new password; every session of it ends.').action(
    (name: string, options: UserOptions) =>
      ask(options, async (http, target) => {
        const proof = await proofOf(http, target, name, options);
        return http.post(askOf(target, 'change'), { name, ...proof, password: await password() });
      }),
  );
  addProven('change <name>', 'Change the key, e-mail address or metadata of the account.')
    .option('--new-key-file <file>', 'its new key (PEM); every session of the account ends')
    .option('--email <address>', 'its new e-mail address')
    .option('--no-email', 'it has no e-mail address any more')
    .option(...metadata)
    .action((name: string, options: UserOptions) =>
      ask(options, async (http, target) => {
        const { newKeyFile: file } = options;
        const key = file === undefined ? {} : { publicKey: (await keyPairIn(file)).publicKey };
        const change = { ...key, ...details(options) };
        if (Object.keys(change).length === 0)
          throw new CommandError(
            exitCodes.usage,
            'Say what changes: --new-key-file, --email, --no-email or --metadata.',
          );
        const proof = await proofOf(http, target, name, options);
        return http.post(askOf(target, 'change'), { name, ...proof, ...change });
      }),
    );
  add('show <name>', 'Show what is known of an account.').action((name: string, options: UserOptions) =>
    ask(options, (http, target) => http.post(askOf(target, 'profile'), { name })),
  );
  add('delete <name>', 'Delete the account, and all that is known of the person.').action(
    (name: string, options: UserOptions) =>
      ask(options, (http, target) => http.post(askOf(target, 'delete'), { name })),
  );
}

function addKeys(command: Command): void {
  command
    .command('new <file>')
    .description('Make a key in a new file that its owner alone can read, and show its public key.')
    .action(async (file: string) => {
      process.stdout.write(`${JSON.stringify({ publicKey: await newKeyFile(file) })}\n`);
    });
  addTo(command)('show <name>', 'Show the public key of an account.').action(
    (name: string, options: UserOptions) =>
      ask(options, (http, target) => http.post(askOf(target, 'key'), { name })),
  );
}

function details({ email, metadata: json }: UserOptions): object {
  return {
    ...(email !== undefined && { email: email === false ? null : email }),
    ...(json !== undefined && { metadata: parsed(json) }),
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new CommandError(exitCodes.usage, `--metadata is JSON, such as '{"team": "blue"}'.`);
  }
}

/** Nothing where none is given: an administrator needs none. */
async function proofOf(http: NodeHttp, target: Target, name: string, options: UserOptions): Promise<object> {
  if (options.keyFile !== undefined) return signedChallenge(http, target, name, options.keyFile);
  return options.currentPassword ? { currentPassword: await currentPassword() } : {};
}

async function signedChallenge(
  http: NodeHttp,
  target: Target,
  name: string,
  file: string,
): Promise<{ readonly challenge: string; readonly signature: string }> {
  const { sign } = await keyPairIn(file);
  const { challenge } = (await http.post(askOf(target, 'challenge'), { name })) as { challenge: string };
  return { challenge, signature: sign(loginMessage(target.hub, name, challenge)) };
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
    const page = (await http.post(askOf(target, 'list'), { after, limit: 1_000 })) as Page;
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
