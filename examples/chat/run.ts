/** Three people on three nodes: they race for an account and for a group, talk in it, in a channel and to each other while a node is killed, and
 *  see who has read what. Afterwards it is counted, from what each node answers over plain HTTP, that nothing is lost or there twice. */
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../../src/base/random.js';
import { RinglogError } from '../../src/client/index.js';
import { passwordToken } from '../../src/client/people.js';
import { type ClusterNode, ProcessCluster } from '../../simulations/processes/cluster.js';
import { becomes, nodeNames } from '../shared/waiting.js';
import { setUp } from './hub.js';
import { Person, again } from './person.js';

export interface Result {
  readonly people: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
    readonly said: number;
    readonly heard: number;
    /** Of what was heard: what belongs before something heard already. */
    readonly late: number;
    /** Of what was said: what was acknowledged below quorum, while too few nodes were there. */
    readonly alone: number;
    readonly awayMs: number;
  }[];
  /** By node and channel: how many messages it has. */
  readonly nodes: readonly { readonly name: string; readonly messages: Readonly<Record<string, number>> }[];
  readonly maker: string;
  readonly seconds: number;
  /** What does not hold; nothing when all is well. */
  readonly problems: readonly string[];
}

const names = ['ada', 'ben', 'cem'];
const group = 'team';
const channel = `g:${group}`;
/** Made by whoever writes to it first, and open to all. */
const plain = 'lobby';
const passwordOf = (name: string) => `password of ${name}`;

export async function runChat(rounds: number, seed: number, signal: AbortSignal): Promise<Result> {
  const cluster = await ProcessCluster.start({ nodes: 3, signal });
  const people: Person[] = [];
  try {
    await setUp(cluster.nodes);
    return await new Run(cluster, people, seed, signal).all(rounds);
  } finally {
    await Promise.all(people.map((person) => person.close()));
    await cluster.remove();
  }
}

class Run {
  readonly #problems: string[] = [];
  readonly #random;

  constructor(
    readonly cluster: ProcessCluster,
    readonly people: Person[],
    seed: number,
    readonly signal: AbortSignal,
  ) {
    this.#random = seededRandom(seed);
  }

  async all(rounds: number): Promise<Result> {
    await this.#register();
    const maker = await this.#gather();
    const namesOf = await nodeNames(this.cluster);
    const at = ({ client }: Person) => namesOf.get(client.session?.nodeId ?? '') ?? '';
    const before = this.people.map(at);
    const begun = performance.now();
    const third = Math.ceil(rounds / 3);
    await this.#talk(third);
    const ben = this.people[1]!;
    const victim = this.cluster.nodes.find(({ name }) => name === before[1])!;
    const away = lostAndFound(ben);
    await victim.kill();
    await this.#talk(third);
    const awayMs = await away;
    await this.#talk(third);
    await Promise.all(this.people.map((person) => person.settled()));
    const seconds = (performance.now() - begun) / 1_000;
    const after = this.people.map(at);
    this.#must(after[1] !== before[1], 'ben is at the node that was killed');
    // What the killed node acknowledged alone nobody else has before it is back.
    const isAlone = this.people.some(({ said, firm }) => countIn(said) > firm.size);
    if (isAlone) await this.#start(victim);
    await this.#heardAll();
    await this.#seen();
    await this.#read();
    await this.#leave();
    if (!isAlone) await this.#start(victim);
    const nodes = await this.#counted();
    return {
      people: this.people.map(({ name, said, heard, late, firm }, i) => ({
        name,
        before: before[i]!,
        after: after[i]!,
        said: countIn(said),
        heard: countIn(heard),
        late: late.size,
        alone: countIn(said) - firm.size,
        awayMs: i === 1 ? awayMs : 0,
      })),
      nodes,
      maker,
      seconds,
      problems: [...this.#problems, ...this.people.flatMap(({ problems }) => problems)],
    };
  }

  async #start({ process }: ClusterNode): Promise<void> {
    await process.start();
    await this.cluster.together();
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds) this.#problems.push(otherwise);
  }

  /** Each begins at another node; all want to be ada too, and nobody gets it but once. */
  async #register(): Promise<void> {
    const { urls } = this.cluster;
    const orders = names.map((_, i) => [...urls.slice(i), ...urls.slice(0, i)]);
    const races = orders.map((order) => Person.register('ada', order, passwordOf('ada')));
    const won = (await Promise.all(races)).filter(Boolean).length;
    this.#must(won === 1, `${won} registrations of ada counted`);
    for (const [i, name] of names.entries()) {
      if (i > 0) await Person.register(name, orders[i]!, passwordOf(name));
      const person = new Person(name, orders[i]!, passwordOf(name));
      this.people.push(person);
      await person.enter();
    }
  }

  /** All make the group at once; whoever was first has it, and the others join. */
  async #gather(): Promise<string> {
    const made = await Promise.all(
      this.people.map(async ({ name, groups }) => {
        try {
          await again(() => groups.create(group, { open: true }));
          return name;
        } catch (error) {
          if (error instanceof RinglogError && error.code === 'NAME_TAKEN') return undefined;
          throw error;
        }
      }),
    );
    const makers = made.filter((name) => name !== undefined);
    this.#must(makers.length === 1, `${makers.length} people made the group: ${makers.join(', ')}`);
    for (const person of this.people) {
      await this.#joined(person);
      person.enterGroup(group);
      person.listen(plain);
    }
    return makers[0] ?? '';
  }

  /** A node may hear a moment later of a group that was made at another one. */
  async #joined({ name, groups }: Person): Promise<void> {
    const join = async (): Promise<boolean> => {
      try {
        await again(() => groups.join(group));
        return true;
      } catch (error) {
        if (error instanceof RinglogError && error.code === 'NOT_FOUND') return false;
        throw error;
      }
    };
    this.#must(await becomes(join), `${name} could not join`);
  }

  async #talk(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      this.signal.throwIfAborted();
      for (const person of this.people) {
        const number = countIn(person.said) + 1;
        person.say(channel, `${person.name} says ${i}.${number}.${this.#word()}`);
        if (this.#random.next() < 0.3)
          person.say(plain, `${person.name} tells all ${i}.${number}.${this.#word()}`);
        if (this.#random.next() < 0.3) {
          const others = names.filter((name) => name !== person.name);
          const to = others[Math.floor(this.#random.next() * others.length)]!;
          person.say(`u:${to}`, `${person.name} to ${to} ${i}.${number}.${this.#word()}`);
        }
      }
      // Messages of the others come in between.
      await pause(5);
    }
  }

  /** No two messages are the same. */
  #word(): string {
    return Math.floor(this.#random.next() * 2 ** 48).toString(36);
  }

  #expectedIn(of: string): string[] {
    return this.people.flatMap(({ said }) => said.get(of) ?? []).sort();
  }

  /** Everybody has heard everything once. */
  async #heardAll(): Promise<void> {
    const channels = [channel, plain, ...names.map((name) => `u:${name}`)];
    for (const of of channels) {
      const expected = this.#expectedIn(of).join('\n');
      const readers = this.people.filter(({ heard }) => heard.has(of));
      const isAll = await becomes(() =>
        readers.every(({ heard }) => heard.get(of)!.toSorted().join('\n') === expected),
      );
      if (!isAll)
        for (const { name, heard } of readers)
          this.#problems.push(
            `${name} heard ${heard.get(of)!.length} in ${of}, of ${this.#expectedIn(of).length}`,
          );
    }
  }

  async #seen(): Promise<void> {
    for (const person of this.people) {
      const isSeen = await becomes(() => person.seenIn(group).join() === names.join());
      this.#must(isSeen, `${person.name} sees ${person.seenIn(group).join(', ')}`);
    }
  }

  /** Who wrote sees that everybody else has read the newest. */
  async #read(): Promise<void> {
    for (const { name, newest, receipts } of this.people.map((person) => ({
      name: person.name,
      newest: person.newest,
      receipts: (of: string) => person.receipts(of),
    }))) {
      for (const [of, timestamp] of newest) {
        if (of === plain) continue;
        const readers = of === channel ? names.filter((each) => each !== name) : [of.slice(2)];
        const seen = await receipts(of);
        const read = () => seen.of({ timestamp }).read.filter((each) => readers.includes(each));
        const isRead = await becomes(() => read().length === readers.length);
        this.#must(isRead, `${name} sees only ${read().join(', ') || 'nobody'} read ${of}`);
      }
    }
  }

  /** Who leaves hears nothing more, and cannot ask. */
  async #leave(): Promise<void> {
    const [ada, ben, cem] = this.people as [Person, Person, Person];
    await again(() => cem.groups.leave(group));
    this.#must(await becomes(() => cem.cut.get(channel) === 'DENIED'), 'cem left and is not cut');
    ada.say(channel, 'cem has left');
    await ada.settled();
    this.#must(await becomes(() => ben.heard.get(channel)!.at(-1) === 'cem has left'), 'ben hears no more');
    this.#must(!cem.heard.get(channel)!.includes('cem has left'), 'cem left and still hears');
  }

  /** All heard in the order of the log what was acknowledged at `quorum`, was not late, nor said twice for want of an answer.
   *  What a node took that reached too few others is heard before it has its place. */
  #inOrder(node: string, of: string, { texts, twice }: Found): void {
    const isFirm = (text: string): boolean => this.people.some(({ firm }) => firm.has(text));
    for (const { name, heard, late } of this.people) {
      const inTime = (heard.get(of) ?? []).filter(
        (text) => isFirm(text) && !late.has(text) && !twice.has(text),
      );
      const ofThem = new Set(inTime);
      const isOne = texts.filter((text) => ofThem.has(text)).join('\n') === inTime.join('\n');
      this.#must(isOne, `${name} heard ${of} in another order than ${node} has it`);
    }
  }

  /** What each node has, as it answers somebody who may read it. */
  async #counted(): Promise<Result['nodes']> {
    const nodes: { name: string; messages: Record<string, number> }[] = [];
    const order = new Map<string, string>();
    for (const { name, url } of this.cluster.nodes) {
      const messages: Record<string, number> = {};
      for (const [of, reader] of [
        [channel, 'ada'] as const,
        [plain, 'ben'] as const,
        ...names.map((each) => [`u:${each}`, each] as const),
      ]) {
        const token = await tokenAt(url, reader);
        const expected = this.#expectedIn(of);
        let found: Found = { texts: [], twice: new Set() };
        const isThere = await becomes(async () => {
          found = await textsAt(url, token, of);
          return found.texts.toSorted().join('\n') === expected.join('\n');
        });
        messages[of] = found.texts.length;
        this.#must(
          isThere,
          `${name} has ${found.texts.length} messages in ${of}, not the ${expected.length} that count`,
        );
        this.#inOrder(name, of, found);
        const asHere = found.texts.join('\n');
        this.#must(
          (order.get(of) ?? asHere) === asHere,
          `${name} has ${of} in another order than the others`,
        );
        order.set(of, asHere);
      }
      const cem = await tokenAt(url, 'cem');
      const refused = await becomes(async () => (await historyAt(url, cem, channel)).status === 403);
      this.#must(refused, `${name} shows the group to cem, who has left`);
      nodes.push({ name, messages });
    }
    return nodes;
  }
}

/** How long somebody was without a node, once it has lost the one it had. */
async function lostAndFound({ client }: Person): Promise<number> {
  const from = await new Promise<number>((resolve) => {
    client.on('state', ({ state }) => {
      if (state !== 'open') resolve(performance.now());
    });
  });
  await client.ready();
  return Math.round(performance.now() - from);
}

function tokenAt(url: string, name: string): Promise<string> {
  return again(passwordToken({ url, name, password: passwordOf(name) }));
}

function historyAt(url: string, token: string, of: string, cursor?: string): Promise<Response> {
  const query = new URLSearchParams({ limit: '1000', ...(cursor === undefined ? {} : { cursor }) });
  return fetch(`${url}/v1/hubs/default/channels/${encodeURIComponent(of)}/history?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

interface Found {
  /** In the order of the log. */
  readonly texts: string[];
  /** Those that are there twice. */
  readonly twice: ReadonlySet<string>;
}

/** What was said again where nobody knew of the first counts once: it has the same key. */
async function textsAt(url: string, token: string, of: string): Promise<Found> {
  const texts = new Map<string, string>();
  const twice = new Set<string>();
  for (let cursor: string | undefined, more = true; more;) {
    const answer = await historyAt(url, token, of, cursor);
    if (!answer.ok) break;
    const page = (await answer.json()) as {
      readonly entries: readonly {
        readonly id: string;
        readonly idempotencyKey?: string;
        readonly data?: string;
      }[];
      readonly cursor: string;
      readonly more: boolean;
    };
    for (const { id, idempotencyKey = id, data } of page.entries)
      if (data !== undefined) {
        if (texts.has(idempotencyKey)) twice.add(data);
        texts.set(idempotencyKey, data);
      }
    ({ cursor, more } = page);
  }
  return { texts: [...texts.values()], twice };
}

function countIn(texts: ReadonlyMap<string, readonly string[]>): number {
  let count = 0;
  for (const each of texts.values()) count += each.length;
  return count;
}
