/** Three people, three nodes: the node that one of them uses is killed, another is without a network for a while, and all go on
 *  changing the list. In the end everybody, and every node after its restart, must have the same, with all that was promised. */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type ClusterNode, ProcessCluster } from '../../simulations/processes/cluster.js';
import { seededRandom } from '../../src/base/random.js';
import { becomes, nodeNames } from '../shared/waiting.js';
import { type Account, type List, Person, channel } from './person.js';

export interface Result {
  readonly people: readonly (Account & {
    readonly name: string;
    readonly before: string;
    readonly after: string;
  })[];
  readonly nodes: readonly { readonly name: string; readonly version: number; readonly hash: string }[];
  readonly contacts: number;
  readonly seconds: number;
  /** What does not hold; nothing when all is well. */
  readonly problems: readonly string[];
}

const path = `/v1/hubs/default/channels/${encodeURIComponent(channel)}/document`;
const names = ['ada', 'ben', 'cem'];
const openContacts = 20;
/** So long two nodes are parted at most. */
const partedMs = 10_000;

export interface Options {
  readonly rounds: number;
  readonly seed: number;
  /** The node that is killed was cut off before, and its disk is gone. */
  readonly losesDisk: boolean;
  /** The two nodes that live do not see each other for a while, and both take changes. */
  readonly parts: boolean;
  readonly signal: AbortSignal;
}

export async function runContacts(options: Options): Promise<Result> {
  const { seed, signal } = options;
  const cluster = await ProcessCluster.start({ nodes: 3, signal });
  const random = seededRandom(seed);
  const people = names.map((name, i) => {
    // Each begins at another node.
    const urls = [...cluster.urls];
    return new Person(name, [...urls.splice(i, 1), ...urls], random);
  });
  try {
    return await run(cluster, people, options);
  } finally {
    await Promise.all(people.map((person) => person.close()));
    await cluster.remove();
  }
}

async function run(
  cluster: ProcessCluster,
  people: readonly Person[],
  { rounds, losesDisk, parts, signal }: Options,
): Promise<Result> {
  const [ada, ben, cem] = people as [Person, Person, Person];
  await begin(ada, 4 * Math.ceil(rounds / 3));
  for (const person of people) await person.open();
  const begun = performance.now();
  const namesOf = await nodeNames(cluster);
  const before = people.map(({ node }) => namesOf.get(node) ?? '');
  const third = Math.ceil(rounds / 3);
  await act(people, third, signal);
  const victim = cluster.nodes.find(({ name }) => name === before[1])!;
  if (losesDisk) {
    cluster.proxies.isolate(victim.name);
    await act(people, third, signal);
    // The node acknowledges alone once it knows that it is.
    await ben.settled();
    await lose(cluster, ben, victim);
  } else {
    // Of what is on its way some was written, some not.
    await Promise.all([killUnder(ben, victim), act(people, third, signal)]);
  }
  const isAlone = people.some(({ account }) => account.alone > 0);
  if (parts) {
    cluster.proxies.isolate(cluster.nodes.find((node) => node !== victim)!.name);
    await act(people, third, signal);
    // Each takes what comes to it alone, unless it was still coming to know what there is when the third fell: it waits then.
    await Promise.race([Promise.all(people.map((person) => person.settled())), pause(partedMs)]);
    cluster.proxies.mend();
  }
  cem.line.cut();
  await act(people, third, signal);
  cem.line.mend();
  await Promise.all(people.map((person) => person.settled()));
  const seconds = (performance.now() - begun) / 1_000;
  const after = people.map(({ node }) => namesOf.get(node) ?? '');
  const problems: string[] = [];
  if (after[1] === before[1]) problems.push('ben is at the node that was killed');
  if (!losesDisk && ben.account.queued === 0) problems.push('ben changed nothing while he had no node');
  // Who was shown what the killed node alone had gets no further without it, unless it is removed.
  if (!losesDisk && isAlone) await victim.process.start();
  if (cem.account.queued === 0) problems.push('cem changed nothing while he had no network');
  problems.push(...(await together(people)));
  if (losesDisk) {
    if (ben.account.lost === 0) problems.push('ben lost nothing, or was not told');
    if (ben.account.again === 0) problems.push('ben said nothing again');
    // Empty, it joins who is there.
    await victim.process.start();
    await cluster.together();
  }
  await startAgain(cluster);
  // What only the killed node had written is in the order by now.
  const nodes = await held(cluster, people, problems);
  const list = ada.list.value;
  for (const person of people) problems.push(...person.problems, ...person.missingIn(list));
  return {
    people: people.map(({ name, account }, i) => ({
      name,
      before: before[i]!,
      after: after[i]!,
      ...account,
    })),
    nodes,
    contacts: Object.keys(list.contacts).length,
    seconds,
    problems,
  };
}

/** With a ticket for each change that anybody will make. */
async function begin({ client }: Person, changes: number): Promise<void> {
  const open = Array.from({ length: openContacts }, (_, i) => [`open-${i}`, { name: `Anybody ${i}` }]);
  const tickets = Object.fromEntries(Array.from({ length: changes }, (_, i) => [`${i + 1}`, true as const]));
  const list: List = {
    contacts: Object.fromEntries(open),
    tickets: Object.fromEntries(names.map((name) => [name, tickets])),
    shared: { phone: '', note: '' },
  };
  await client.patch(channel, [{ op: 'replace', path: '', value: list }]);
}

async function act(people: readonly Person[], rounds: number, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    signal.throwIfAborted();
    for (const person of people) person.act();
    // Changes of the others come in between.
    await pause(5);
  }
}

/** Until somebody answers again. */
async function killUnder(person: Person, node: ClusterNode): Promise<void> {
  const lost = new Promise<number>((resolve) => {
    person.client.on('state', ({ state }) => {
      if (state !== 'open') resolve(performance.now());
    });
  });
  await node.kill();
  const from = await lost;
  await person.client.ready();
  person.account.awayMs = Math.round(performance.now() - from);
}

/** With all it has. Until it is no member any more it might come back with that: nobody says that it is lost before. */
async function lose(cluster: ProcessCluster, person: Person, victim: ClusterNode): Promise<void> {
  const { nodeId } = await victim.status();
  const away = killUnder(person, victim);
  await away;
  victim.wipe();
  cluster.proxies.mend();
  await cluster.change({ kind: 'remove', node: nodeId });
}

/** All have one list with all that was promised, and nothing of their own on its way. What turns out to have come to nothing
 *  is said again. */
async function together(people: readonly Person[]): Promise<string[]> {
  if (await becomes(() => areOne(people))) return [];
  return differing(people);
}

function differing(people: readonly Person[]): string[] {
  const lists = new Set(people.map(({ list }) => `${list.pending} ${list.version} ${list.json}`));
  if (lists.size === 1) return [];
  return people.map(
    ({ name, client, list }) =>
      `${name} has the list ${short(list.json)} at version ${list.version}, ${list.pending} of their own; ${client.state}`,
  );
}

function areOne(people: readonly Person[]): boolean {
  for (const person of people) person.mend();
  const [{ list }] = people as [Person];
  return people.every(
    (person) =>
      person.list.pending === 0 &&
      person.list.version === list.version &&
      person.list.json === list.json &&
      person.missingIn(list.value).length === 0,
  );
}

async function startAgain(cluster: ProcessCluster): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.stop()));
  await Promise.all(cluster.nodes.map((node) => node.process.start()));
  await cluster.together();
}

/** What each node has, once it is what everybody has. A node that has just started may be behind for a moment. */
async function held(cluster: ProcessCluster, people: readonly Person[], problems: string[]) {
  const found = cluster.nodes.map(({ name }) => ({ name, version: 0, hash: '' }));
  const look = async (): Promise<boolean> => {
    for (const [i, { url, name }] of cluster.nodes.entries()) {
      const answer = await fetch(`${url}${path}`).catch(() => undefined);
      if (!answer?.ok) return false;
      const version = Number(answer.headers.get('x-ringlog-version'));
      found[i] = { name, version, hash: short(await answer.text()) };
    }
    const { json } = people[0]!.list;
    return areOne(people) && found.every(({ hash }) => hash === short(json));
  };
  if (await becomes(look)) return found;
  problems.push(...differing(people));
  return found;
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
