/** Whose the groups are that several wanted, as nodes say it. */
import type { Principal } from '../../src/engine/api.js';
import { administratorName } from '../../src/hubs/provider.js';
import { answerOf, lastLook } from './coming-together.js';
import type { GroupClient } from './group-client.js';
import type { SimulatedNode } from './node.js';
import type { SeenGroups } from './record.js';
import type { World } from './world.js';

const administrator: Principal = { actor: administratorName, authenticated: true, admin: true };

/** Whose each group is, as every member of the ring says that is up, once all that wanted one have their answer; looked at until all
 *  say the same, or for so long. A node may hear a moment later of what came of a group whose maker got no answer. */
export async function groupsWithin(
  world: World,
  clients: readonly GroupClient[],
  withinMs: number,
): Promise<SeenGroups> {
  await world.becomes(() => clients.every(({ isSettled }) => isSettled), withinMs);
  return await lastLook(world, withinMs, () => groupsNow(world), isOne);
}

function isOne(seen: SeenGroups): boolean {
  return new Set([...seen.values()].map((owners) => JSON.stringify([...owners]))).size <= 1;
}

async function groupsNow(world: World): Promise<SeenGroups> {
  const names = [...new Set(world.record.groupRaces.map(({ group }) => group))];
  const seen: Map<string, ReadonlyMap<string, string>> = new Map();
  for (const node of world.members()) {
    if (node.state !== 'up') continue;
    const owners = new Map<string, string>();
    // Waited for once: what was seen at the nodes before is to be what they say still.
    const endMs = world.nowMs() + knownMs;
    for (const group of names) owners.set(group, await ownerAt(world, node, group, endMs));
    seen.set(node.name, owners);
  }
  return seen;
}

/** Empty where there is no such group. */
async function ownerAt(world: World, node: SimulatedNode, group: string, endMs: number): Promise<string> {
  for (;;) {
    const answer = await answerOf(world, node, (engine) =>
      engine.people(administrator, 'default', 'groups/members', { group }, ''),
    );
    if (answer.ok) return (answer.value['members'] as readonly { user: string }[])[0]!.user;
    if (answer.error.code === 'NOT_FOUND') return '';
    if (world.nowMs() >= endMs) return answer.error.code;
    await world.pass(100);
  }
}

/** A node that has just started reads them first. */
const knownMs = 10_000;
