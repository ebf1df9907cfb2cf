/** Keys of people who are gone that some node still has, once nothing goes wrong any more. */
import type { ChannelName, HubName } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { personKeyRef, usersRef } from '../../src/hubs/system-channels.js';
import type { Entry } from '../../src/log/entry.js';
import { unixMsOf } from '../../src/log/timestamp.js';
import { Users } from '../../src/people/users.js';
import { answerOf, lastLook } from './coming-together.js';
import type { SimulatedNode } from './node.js';
import { peopledHub } from './places.js';
import type { World } from './world.js';

const hub = peopledHub as HubName;

/** Looked for until there is none, or for so long. */
export async function keysLeftWithin(world: World, withinMs: number): Promise<readonly string[]> {
  return await lastLook(
    world,
    withinMs,
    () => keysLeft(world),
    (left) => left.length === 0,
  );
}

async function keysLeft(world: World): Promise<readonly string[]> {
  const left: string[] = [];
  for (const node of world.members()) {
    if (node.state !== 'up') continue;
    for (const id of await goneAt(world, node)) {
      const entries = await entriesAt(world, node, personKeyRef(hub, id).channel);
      if (entries?.some(({ content }) => content?.event === 'key')) left.push(`${id} at ${node.name}`);
    }
  }
  return left;
}

/** By what the node has of `$users`: nobody where something of it is lost. */
async function goneAt(world: World, node: SimulatedNode): Promise<readonly string[]> {
  const users = new Users();
  const ids = new Set<string>();
  const entries = (await entriesAt(world, node, usersRef(hub).channel)) ?? [];
  for (const { content, timestamp, actor } of entries) {
    if (!content) continue;
    users.apply({ event: content.event, payload: content.payload, unixMs: unixMsOf(timestamp), actor });
    const { id } = JSON.parse(new TextDecoder().decode(content.payload)) as { readonly id?: string };
    if (id !== undefined) ids.add(id);
  }
  return [...ids].filter((id) => users.isGone(id));
}

async function entriesAt(
  world: World,
  node: SimulatedNode,
  channel: ChannelName,
): Promise<readonly Entry[] | undefined> {
  const page = await answerOf(world, node, (engine) =>
    engine.queryLog(hub, channel, { limit: limits.historyEntriesMax }),
  );
  if (!page.ok || page.value.gaps.some(({ reason }) => reason !== 'trimmed')) return undefined;
  return page.value.entries.map(({ entry }) => entry);
}
