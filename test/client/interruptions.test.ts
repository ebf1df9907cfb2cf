/** The promise of the client, under a network that breaks wherever it likes: every publish that is acknowledged is in
 *  the log once, in the order of its publisher, and every reader is shown the log once and in order. */
import { expect, test } from 'vitest';
import { toBase64Url } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import type { Client, Message, Subscription } from '../../src/client/index.js';
import { failure } from '../../src/protocol/errors.js';
import { type Wire, World } from './world.js';

const runs = Number(process.env['RINGLOG_INTERRUPTION_RUNS'] ?? 150);
const firstSeed = Number(process.env['RINGLOG_INTERRUPTION_SEED'] ?? 1);
const channels = ['lobby', 'kitchen'] as const;

interface Outcomes {
  readonly acked: { text: string; id: string }[];
  readonly open: Map<string, string>;
}

/** One run: everything that happens is drawn from the seed. */
async function run(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const chance = (probability: number): boolean => random.next() < probability;
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)]!;
  const world = new World(seed);
  const trouble = random.next() * 0.1;
  const restoresNothing = chance(0.2);
  world.node.misbehaviour = {
    restoresNothing,
    repeats: () => Math.floor(random.next() * 3),
    publish: () => {
      if (!chance(trouble)) return undefined;
      const written = chance(0.3);
      const code = written
        ? pick(['INDETERMINATE', 'INTERNAL'] as const)
        : pick(['OVERLOADED', 'RATE_LIMITED', 'INDETERMINATE'] as const);
      return { failure: failure(code, { retryAfterMs: 50 }), written };
    },
  };
  const clients = [
    world.connect({ windowMessages: 1 + Math.floor(random.next() * 8) }),
    world.connect({ restore: chance(0.5) }),
  ];
  const outcomes: Outcomes = { acked: [], open: new Map() };
  const readers = channels.map((channel) => listening(clients[1]!, channel));
  const iterated = iterating(
    world.connect({ bufferEntries: 1 + Math.floor(random.next() * 6) }),
    'lobby',
    random,
  );

  const quiet = world.node.misbehaviour;
  let left = 60;
  for (let steps = 0; steps < 1500 && (left > 0 || steps < 400); steps++) {
    const wire = pick(world.wires.length > 0 ? world.wires.slice(-4) : [undefined]);
    const dice = random.next();
    if (dice < 0.15 && left > 0) publish(pick(clients), `${seed}.${left--}`, pick(channels), outcomes);
    else if (dice < 0.16) world.node.write(pick(channels), `${seed}.other${steps}`);
    else if (dice < 0.18) world.cut(wire);
    else if (dice < 0.185) world.restart();
    else if (dice < 0.25) world.fireNext();
    else if (dice < 0.4) await world.turn();
    else if (wire && chance(0.2)) world.join(wire);
    else if (wire) step(world, wire, chance(0.5));
  }
  // Peace: everything that can still be done is done.
  world.node.misbehaviour = { ...quiet, publish: () => undefined };
  await world.pass(120_000);
  await world.pass(60_000);

  check(world, outcomes);
  for (const [index, { seen, subscription }] of readers.entries()) {
    const { log } = world.node.channels.get(channels[index]!) ?? { log: [] };
    expect(seen).toEqual(log.map(({ text }) => text));
    // One head: whatever is covered by the newest entry has left the cursor.
    expect(subscription.cursor).toBe(toBase64Url(world.node.cursorAt(channels[index]!, log.length)));
  }
  // A new subscription knows no more than its cursor, so what the node repeats it shows again.
  expect([...new Set(iterated.seen)]).toEqual(world.node.texts('lobby'));
  expect(world.thrown).toEqual([]);
  expect(outcomes.open.size).toBe(0);
}

function step(world: World, wire: Wire, toNode: boolean): void {
  if (!world.step(wire, toNode ? 'node' : 'client')) world.step(wire);
}

function publish(client: Client, text: string, channel: string, outcomes: Outcomes): void {
  outcomes.open.set(text, channel);
  client.publish(channel, text, { timeoutMs: 600_000 }).then(
    ({ id }) => {
      outcomes.open.delete(text);
      outcomes.acked.push({ text, id: id! });
    },
    () => expect.unreachable('every publish succeeds in the end'),
  );
}

function listening(client: Client, channel: string): { seen: string[]; subscription: Subscription } {
  const seen: string[] = [];
  const onEntry = (message: Message): void => void seen.push(message.data as string);
  return { seen, subscription: client.subscribe(channel, { start: 'beginning', onEntry }) };
}

/** A reader that stops now and then, and sometimes goes on with a new subscription from its cursor. */
function iterating(client: Client, channel: string, random: { next(): number }): { readonly seen: string[] } {
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    let cursor: string | undefined;
    for (;;) {
      const subscription = client.subscribe(channel, {
        start: cursor === undefined ? 'beginning' : { cursor },
      });
      for await (const message of subscription) {
        seen.push((message as Message).data as string);
        cursor = subscription.cursor;
        if (random.next() < 0.1) break;
      }
    }
  };
  read().catch(() => {});
  return { seen };
}

function check(world: World, { acked }: Outcomes): void {
  const log = channels.flatMap(
    (channel) =>
      world.node.channels
        .get(channel)
        ?.log.map(({ text, dot }) => ({ text, id: `${dot.writer}-${dot.seq}` })) ?? [],
  );
  // Once each, and where the ack said.
  const own = log.filter(({ text }) => !text.includes('other'));
  expect(own.map(({ text }) => text).sort()).toEqual(acked.map(({ text }) => text).sort());
  for (const each of acked) expect(log).toContainEqual(each);
  // In the order of its publisher.
  for (const channel of channels) {
    const lastOf = new Map<string, number>();
    for (const { publisher } of world.node.channels.get(channel)?.log ?? []) {
      if (!publisher) continue;
      expect(publisher.seq).toBeGreaterThan(lastOf.get(publisher.id) ?? 0);
      lastOf.set(publisher.id, publisher.seq);
    }
  }
}

test(`${runs} seeds of losses, restarts and refusals`, async () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    await expect(run(seed), `seed ${seed}`).resolves.toBeUndefined();
  }
});
