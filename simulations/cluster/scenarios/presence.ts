/** Stories about who is seen in a channel. */
import { type PresenceClient, presenceWithin, seenChannel } from '../presence-client.js';
import type { Story } from './story.js';

/** After the last fault: DEAD takes 4.8 s at most where one node alone accuses. */
const exactMs = 6_000;
const noticedMs = 500;

/** D16. The node that holds a connection is killed, and so is the owner of the channel; the first starts again under the same
 *  name. Nobody is seen who is not there. */
export async function ghost(story: Story): Promise<void> {
  await story.begin();
  const homes = story.world
    .homesOf(seenChannel)
    .map((name) => story.nodes.find((node) => node.name === name)!);
  const gateway = story.nodes.find((node) => !homes.includes(node))!;
  const [owner, second, third] = homes;
  const clients = [gateway, owner!, second!, third!].map((node, i) => story.presence(`s${i + 1}`, [node]));
  const [atGateway, atOwner] = clients;
  await exact(story, clients, 'all came');
  gateway.crash(false);
  owner!.crash(false);
  await story.start(gateway);
  await exact(story, clients, 'a gateway started anew while the owner is down', [atOwner!]);
  await story.start(owner!);
  await exact(story, clients, 'the owner is back');
  gateway.crash(false);
  await exact(story, clients, 'the gateway is down', [atGateway!]);
  await story.start(gateway);
  await exact(story, clients, 'the gateway is back');
}

/** A gateway is cut off from all others: they forget who is there, and know them again once it is back, though no process
 *  ended. */
export async function cutOffGateway(story: Story): Promise<void> {
  await story.begin();
  const clients = story.nodes.map((node, i) => story.presence(`s${i + 1}`, [node]));
  await exact(story, clients, 'all came');
  const [first, ...others] = story.nodes;
  story.split(others);
  await story.pass(10_000);
  clients[0]!.close();
  clients[0] = story.presence('s9', [first!]);
  await story.pass(1_000);
  story.mend();
  await exact(story, clients, 'the gateway is heard again');
}

async function exact(
  story: Story,
  clients: readonly PresenceClient[],
  when: string,
  away: readonly PresenceClient[] = [],
): Promise<void> {
  // Whoever lost its connection has noticed by then.
  await story.pass(noticedMs);
  const seen = await presenceWithin(story.world, clients, exactMs - noticedMs, away);
  story.world.trace.tell(`${when}: ${seen.expected.join(', ')}`);
  story.world.record.presences.push(seen);
  story.must(seen.expected.length === clients.length - away.length, `everybody is there when ${when}`);
}
