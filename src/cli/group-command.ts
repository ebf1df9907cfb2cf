/** `ringlog group`: groups of people in a hub. */
import type { Command } from 'commander';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { printable } from './terminal.js';

interface GroupOptions extends TargetOptions {
  readonly json?: boolean;
  readonly open?: boolean;
  readonly closed?: boolean;
  readonly user?: string;
  readonly owner?: string;
  readonly all?: boolean;
}

interface GroupJson {
  readonly group: string;
  readonly open: boolean;
  readonly members: number;
  readonly role?: string;
}

interface MemberJson {
  readonly user: string;
  readonly role: string;
  readonly since: string;
}

export function addGroupCommand(program: Command): void {
  const command = program
    .command('group')
    .description('Groups of people in a hub, whose channels are their members’ alone.')
    .addHelpText(
      'after',
      `
With a user's token it is that user who asks; an administrator names whom it asks for.

Examples:
  ringlog group create team --token-file ada.token
  ringlog group invite team bob --token-file ada.token
  ringlog group join team --token-file bob.token
  ringlog pub g:team 'hello' --token-file bob.token
  ringlog group create team --owner ada
  ringlog group members team`,
    );
  const add: Add = (usage, description) =>
    addTargetOptions(
      command.command(usage).description(description).option('--json', 'JSON on a terminal too'),
    );
  addChanges(add);
  addLists(add);
}

type Add = (usage: string, description: string) => Command;

const user = ['--user <user>', 'whom it is asked for, as an administrator'] as const;

function addChanges(add: Add): void {
  add('create <group>', 'Make a group.')
    .option('--open', 'whoever is known may join')
    .option('--owner <user>', 'the first owner, as an administrator')
    .action((group: string, options: GroupOptions) =>
      ask(options, 'create', { group, open: options.open, owner: options.owner }),
    );
  add('join <group>', 'Join an open group, or one that invites.')
    .option(...user)
    .action((group: string, options: GroupOptions) => ask(options, 'join', { group, user: options.user }));
  add('leave <group>', 'Leave a group, or turn its invitation down.')
    .option(...user)
    .action((group: string, options: GroupOptions) => ask(options, 'leave', { group, user: options.user }));
  add('invite <group> <user>', 'Invite a user, as an owner.').action(
    (group: string, guest: string, options: GroupOptions) => ask(options, 'invite', { group, user: guest }),
  );
  add('remove <group> <user>', 'Remove a user, or its invitation, as an owner.').action(
    (group: string, member: string, options: GroupOptions) => ask(options, 'remove', { group, user: member }),
  );
  add('change <group>', 'Open or close a group, or make a member an owner.')
    .option('--open', 'whoever is known may join')
    .option('--closed', 'who joins is invited')
    .option('--owner <user>', 'a member that becomes an owner too')
    .action((group: string, { open, closed, ...options }: GroupOptions) =>
      ask(options, 'change', { group, open: open ?? (closed ? false : undefined), owner: options.owner }),
    );
  add('delete <group>', 'End a group; its name stays taken.').action((group: string, options: GroupOptions) =>
    ask(options, 'delete', { group }),
  );
}

function addLists(add: Add): void {
  add('list', 'List the groups of a user; with an administrator’s token all of them.')
    .option('--all', 'all groups, where the hub lists them')
    .option(...user)
    .action(({ all, user: of, ...options }: GroupOptions) =>
      list<GroupJson>(options, 'list', { all, user: of }, 'groups', (group) =>
        [
          printable(group.group),
          group.open ? 'open' : 'closed',
          `${group.members} ${group.members === 1 ? 'member' : 'members'}`,
          ...(group.role === undefined ? [] : [group.role]),
        ].join('  '),
      ),
    );
  add('members <group>', 'List who is in a group, or invited.').action(
    (group: string, options: GroupOptions) =>
      list<MemberJson>(
        options,
        'members',
        { group },
        'members',
        (member) => `${member.since.slice(0, 10)}  ${member.role.padEnd(7)}  ${printable(member.user)}`,
      ),
  );
}

const pathOf = ({ hub }: Target, action: string) => `/v1/hubs/${hub}/groups/${action}`;

function ask(options: GroupOptions, action: string, request: object): Promise<void> {
  return untilInterrupted(async (signal) => {
    const target = targetOf(options, process.env);
    const answer = await new NodeHttp(target, signal).post(pathOf(target, action), request);
    const { terminal, isForPeople } = createOutput(options);
    terminal.line(JSON.stringify(answer, undefined, isForPeople ? 2 : undefined));
  });
}

/** Page by page, a line each. */
function list<T>(
  options: GroupOptions,
  action: string,
  request: object,
  member: string,
  line: (item: T) => string,
): Promise<void> {
  return untilInterrupted(async (signal) => {
    const target = targetOf(options, process.env);
    const http = new NodeHttp(target, signal);
    const output = createOutput(options);
    for (let after: string | undefined, more = true; more;) {
      const page = (await http.post(pathOf(target, action), { ...request, after })) as Record<
        string,
        unknown
      >;
      for (const item of page[member] as readonly T[])
        await output.print(
          () => line(item),
          () => JSON.stringify(item),
        );
      after = page['next'] as string | undefined;
      more = after !== undefined;
    }
  });
}
