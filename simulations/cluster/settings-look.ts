/** What goes in the hub whose settings change, as all nodes say it once nothing goes wrong any more. */
import { limits } from '../../src/base/limits.js';
import { gateChannel, linesOf, statesOf, textOf } from './checkers/settings-twin.js';
import { answerOf, lastLook } from './coming-together.js';
import type { GateClient } from './gate-client.js';
import type { SeenSettingEntry, SeenSettings } from './settings-record.js';
import { gatedHub } from './places.js';
import { type SettingsOperator, ruleSet } from './settings-operator.js';
import type { World } from './world.js';

type Node = World['nodes'][number];
type When = SeenSettings['when'];

/** At a node that is reached a change goes after this. */
const everywhereMs = 1_000;
/** A node looks whether a hub is idle so often at the most. */
const lookedMs = 5_000;
const pageEntries = 1_000;

export interface SettingsClients {
  readonly operators: readonly SettingsOperator[];
  readonly gates: readonly GateClient[];
}

/** All nodes come to say the same; one change more goes everywhere within a second; and the hub leaves memory and comes back. */
export async function settingsInTheEnd(
  world: World,
  { operators, gates }: SettingsClients,
  withinMs: number,
): Promise<void> {
  const { looks } = world.record.settings;
  looks.push(await settingsWithin(world, withinMs, 'in the end'));
  // What is healed is not linked again at once, and who follows a log asks again where nobody answers.
  await world.becomes(() => upIn(world).every(isLinked), withinMs);
  await world.pass(limits.followAnswerMs);
  if (await closedBy(world, operators[0]!, withinMs)) {
    await world.pass(everywhereMs);
    looks.push(await settingsNow(world, 'a second later'));
    for (const { engine, life, name, starts } of upIn(world))
      await world.until(gates[0]!.publish({ engine: engine!, life: life!, process: `${name} ${starts}` }));
  }
  for (const gate of gates) gate.close();
  await world.pass(limits.hubIdleMs + lookedMs);
  looks.push(await settingsWithin(world, withinMs, 'out of memory'));
}

/** False where no node takes it. */
async function closedBy(world: World, operator: SettingsOperator, withinMs: number): Promise<boolean> {
  const endMs = world.nowMs() + withinMs;
  const document = { rules: { gate: ruleSet(false, false, 0) }, channels: { [gateChannel]: 'gate' } };
  for (const nodes = upIn(world); world.nowMs() < endMs; nodes.push(nodes.shift()!)) {
    const outcome = await world.until(operator.change(nodes[0]!, { type: 'replace', document }));
    if (outcome === 'acked') return true;
    await world.pass(everywhereMs);
  }
  return false;
}

/** Looked at until all say the same, have said all, and go by what their log says, or for so long. */
export async function settingsWithin(world: World, withinMs: number, when: When): Promise<SeenSettings> {
  return await lastLook(world, withinMs, () => settingsNow(world, when), isOne);
}

/** The logs are read after all the rest: a change whose outcome was not known may have become part of them in between. */
function isOne({ documents, logs }: SeenSettings): boolean {
  const isKnown = [...documents.values()].every((document) => !document.startsWith(unknown));
  const lines = [...logs.values()].map((log) => JSON.stringify(log));
  const due = [...logs.values()].map((log) => textOf(statesOf(log).at(-1)!));
  return (
    isKnown &&
    logs.size === documents.size &&
    new Set([...documents.values(), ...due]).size <= 1 &&
    new Set(lines).size <= 1
  );
}

const unknown = '? ';

async function settingsNow(world: World, when: When): Promise<SeenSettings> {
  const asked = world.record.settings.changes.length;
  const documents = new Map<string, string>();
  const logs = new Map<string, readonly SeenSettingEntry[]>();
  // All at one time: reading the log takes some.
  for (const node of upIn(world)) documents.set(node.name, await documentAt(world, node));
  for (const node of upIn(world)) {
    const log = await logAt(world, node);
    if (log) logs.set(node.name, log);
  }
  return { when, asked, documents, logs };
}

function isLinked({ engine }: Node): boolean {
  return engine?.status().cluster?.members.every(({ linked }) => linked) ?? true;
}

function upIn(world: World): Node[] {
  return world.members().filter(({ state, engine }) => state === 'up' && engine);
}

async function documentAt(world: World, node: Node): Promise<string> {
  const answer = await answerOf(world, node, (engine) => engine.settings(gatedHub));
  return answer.ok
    ? textOf(linesOf(answer.value as Parameters<typeof linesOf>[0]))
    : `${unknown}${answer.error.code}`;
}

/** `undefined` where it cannot be read there now. */
async function logAt(world: World, node: Node): Promise<readonly SeenSettingEntry[] | undefined> {
  const read: SeenSettingEntry[] = [];
  let since: Uint8Array | undefined;
  for (;;) {
    const query = { limit: pageEntries, ...(since ? { since } : {}) };
    const page = await answerOf(world, node, (engine) => engine.queryLog(gatedHub, '$settings', query));
    if (!page.ok) return undefined;
    for (const { entry } of page.value.entries) {
      const { content, actor = '' } = entry;
      if (!content) continue;
      const id = Number(actor.split(' ')[1] ?? 0);
      read.push({ id, event: content.event ?? '', payload: Buffer.from(content.payload).toString() });
    }
    if (!page.value.more) return read;
    since = page.value.cursor;
  }
}
