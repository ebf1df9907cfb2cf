/** What people can ask for is there by the command and the SDK too. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addGroupCommand } from '../../src/cli/group-command.js';
import { addUserCommand } from '../../src/cli/user-command.js';
import { groupsOf, peopleOf } from '../../src/client/people.js';
import { groupActions } from '../../src/people/group-requests.js';
import { userActions } from '../../src/people/requests.js';

const commandsOf = (add: (program: Command) => void): readonly string[] => {
  const program = new Command();
  add(program);
  return program.commands[0]!.commands.map((command) => command.name());
};
const methodsOf = (of: object): readonly string[] => Object.getOwnPropertyNames(Object.getPrototypeOf(of));
const client = {} as Parameters<typeof peopleOf>[0];

test.each(groupActions.map((action) => [action]))('groups: %s', (action) => {
  expect(commandsOf(addGroupCommand)).toContain(action);
  expect(methodsOf(groupsOf(client))).toContain(action);
});

/** A challenge is a part of logging in by a key. */
const asked = userActions.filter((action) => action !== 'challenge');

test.each(asked.map((action) => [action]))('users: %s', (action) => {
  expect(commandsOf(addUserCommand)).toContain(action === 'profile' ? 'show' : action);
  expect(methodsOf(peopleOf(client))).toContain(action);
});
