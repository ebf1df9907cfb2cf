/** A chat in the terminal: lines go to a channel, a group or a person, "/" begins a command. */
import { createInterface } from 'node:readline';
import { type Message, RinglogError } from '../../src/client/index.js';
import { groupChannel, peopleOf } from '../../src/client/people.js';
import { printable } from '../../src/cli/terminal.js';
import { ProcessCluster } from '../../simulations/processes/cluster.js';
import { becomes } from '../shared/waiting.js';
import { setUp } from './hub.js';
import { Person, again } from './person.js';

const help = `/channel NAME   read it and write to it, as anybody may
/group NAME     make a group, or join it, and write to it
/invite USER    to the group that one writes to
/to USER        write to a person
/leave          the group that one writes to
/who            is in it, and who is here now
/users, /groups, /channels
/read           who has read the newest line of one's own
/quit`;

/** `urls`: of nodes that run; without them three are started, and end with the chat. */
export async function talk(
  name: string,
  urls: readonly string[],
  password: string,
  signal: AbortSignal,
): Promise<void> {
  const cluster = urls.length > 0 ? undefined : await ProcessCluster.start({ nodes: 3, signal });
  try {
    if (cluster) {
      await setUp(cluster.nodes);
      console.log(
        `Three nodes run. For others:  npm run example -- chat --name bob --at ${cluster.urls.join(',')}`,
      );
    }
    await new Talk(name, cluster?.urls ?? urls, password).run(signal);
  } finally {
    await cluster?.remove();
  }
}

class Talk {
  readonly #person: Person;
  #to: string | undefined;

  constructor(name: string, urls: readonly string[], password: string) {
    this.#person = new Person(name, urls, password, {
      heard: (message) => this.#heard(message),
      cut: (channel, { code }) => console.log(`* ${channel} is closed to you (${code})`),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name, urls, password, client } = this.#person;
    try {
      const isNew = await Person.register(name, urls, password);
      await this.#person.enter();
      console.log(`${isNew ? 'Registered' : 'Logged in'} as ${name}. /help tells what can be said.`);
      for (const { group, role } of (await this.#person.groups.list()).groups) {
        if (role === 'invited') console.log(`* you are invited to ${group}: /group ${group}`);
        else this.#person.enterGroup(group);
      }
      client.on('state', ({ state }) => console.log(`* ${state === 'open' ? 'connected' : state}`));
      for await (const line of createInterface({ input: process.stdin, signal })) {
        if (line === '/quit') break;
        await again(() => this.#line(line)).catch((error: unknown) => {
          if (!(error instanceof RinglogError)) throw error;
          console.log(`* ${error.message} (${error.code})`);
        });
      }
      // Lines may come from a file: all that was said is shown.
      await this.#person.settled();
      await becomes(() => this.#person.hearsItself());
      this.#problems();
    } finally {
      await this.#person.close();
    }
  }

  #heard({ channel, actor = '', data, time }: Message): void {
    const to = channel.startsWith('u:') ? '' : ` ${printable(channel.replace(/^g:/, ''))}`;
    console.log(`${time.toISOString().slice(11, 19)}${to} ${printable(`${actor}: ${String(data)}`)}`);
  }

  async #line(line: string): Promise<void> {
    if (!line.startsWith('/')) {
      if (line === '') return;
      if (this.#to === undefined) return console.log('* to whom? /channel NAME, /group NAME or /to USER');
      this.#person.say(this.#to, line);
      return;
    }
    const [command, argument = ''] = line.slice(1).split(/\s+/);
    await this.#person.settled();
    await this.#command(command!, argument);
    this.#problems();
  }

  #problems(): void {
    for (const problem of this.#person.problems.splice(0)) console.log(`* ${problem}`);
  }

  async #command(command: string, argument: string): Promise<void> {
    const { groups, client, newest } = this.#person;
    const group = this.#to?.startsWith('g:') ? this.#to.slice(2) : '';
    switch (command) {
      case 'group':
        await this.#enter(argument);
        return;
      case 'channel':
        this.#person.listen(argument);
        this.#to = argument;
        return;
      case 'channels':
        return this.#channels();
      case 'to':
        this.#to = `u:${argument}`;
        return;
      case 'invite':
        await groups.invite(group, argument);
        return;
      case 'leave':
        await groups.leave(group);
        this.#to = undefined;
        return;
      case 'who': {
        const { members } = await groups.members(group);
        console.log(`* ${members.map(({ user, role }) => `${user} (${role})`).join(', ')}`);
        return console.log(`* here now: ${this.#person.seenIn(group).join(', ')}`);
      }
      case 'users':
        return console.log(`* ${(await peopleOf(client).list()).users.map(({ name }) => name).join(', ')}`);
      case 'groups':
        return console.log(
          `* ${(await groups.list({ all: true })).groups.map((each) => each.group).join(', ')}`,
        );
      case 'read': {
        const timestamp = newest.get(this.#to ?? '');
        if (this.#to === undefined || timestamp === undefined)
          return console.log('* nothing was written yet');
        const { read } = (await this.#person.receipts(this.#to)).of({ timestamp });
        return console.log(`* read by ${read.join(', ') || 'nobody yet'}`);
      }
      default:
        console.log(help);
    }
  }

  async #channels(): Promise<void> {
    const people = peopleOf(this.#person.client);
    let list = await people.channels();
    // Nodes that have just found each other do not all answer yet.
    await becomes(async () => !list.partial || !(list = await people.channels()).partial);
    const names = list.channels.map(printable).join(', ');
    console.log(`* ${names}${list.partial ? ' (and maybe more: not all nodes answered)' : ''}`);
  }

  /** Makes the group where nobody has. */
  async #enter(group: string): Promise<void> {
    const { groups } = this.#person;
    try {
      await groups.create(group);
      console.log(`* ${group} is made; /invite others`);
    } catch (error) {
      if (!(error instanceof RinglogError) || error.code !== 'NAME_TAKEN') throw error;
      await groups.join(group);
    }
    this.#person.enterGroup(group);
    this.#to = groupChannel(group);
  }
}
