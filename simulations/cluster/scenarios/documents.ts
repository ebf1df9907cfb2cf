/** Stories about a document that an application has open. */
import type { PatchOperation } from '../../../src/client/index.js';
import { type DocumentClient, sharedChannel } from '../document-client.js';
import { flipEntry } from './disks.js';
import type { SimulatedNode } from '../node.js';
import type { Story } from './story.js';

/** A node that is alone acknowledges a change, shows it, and loses its disk: nobody knows any more what else its reader had, who
 *  is told the document from the beginning on. */
export async function lostChange(story: Story): Promise<void> {
  const { home, client } = await openedAt(story);
  await change(story, client);
  await lose(story, home);
}

/** The same with a change that was never shown: its reader had another one from the start before, and is told nothing until the
 *  order has that. `pauseMs`: for it to subscribe again before the change, or after the loss. */
export async function lostUnheard(story: Story, pauseMs = 0): Promise<void> {
  const { home, client } = await openedAt(story);
  await change(story, client);
  await story.restart(home);
  await story.pass(pauseMs);
  await change(story, client);
  story.must(!client.isSettled, 'it did not hear of its change');
  await lose(story, home);
}

/** A node that is alone acknowledges changes and cannot read one of them any more, before or after a start: its document is
 *  made without it, as that of all others is, and their reader is told so, also one that was away meanwhile. */
export async function rottenChange(story: Story, reader: 'listening' | 'restarted' | 'away'): Promise<void> {
  const { home, client } = await openedAt(story);
  for (let i = 0; i < 3; i++) await change(story, client);
  await story.pass(1_500);
  const [writer, seq] = story.world.record.changes.at(-2)!.entry!.split('-');
  flipEntry(story, home, Number(seq), writer, sharedChannel);
  if (reader === 'restarted') await story.restart(home);
  const { name } = client.plan;
  const { weather } = story.world;
  const cuts = reader === 'away' ? [weather.block(name, home.name), weather.block(home.name, name)] : [];
  await story.pass(3_000);
  story.mend();
  await story.pass(10_000);
  for (const open of cuts) open();
}

/** Two remove the same, at either side of a split: both are told that they did, both see it, and one of them turns out to have
 *  come too late. */
export async function voidInTheEnd(story: Story): Promise<void> {
  const { home, client } = await openedAt(story, async (first) => {
    await change(story, first, [{ op: 'add', path: '/names/k1', value: 'd1' }]);
  });
  const other = story.document('d2', [story.owner]);
  await story.until(() => other.isSettled, 'the document is open there');
  const remove = [{ op: 'remove', path: '/names/k1' }] as const;
  await change(story, other, remove);
  await change(story, client, remove);
  story.must(client.isSettled, `it is shown at ${home.name}`);
  const { changes } = story.world.record;
  story.must(!changes.some(({ after }) => after === 'void'), 'nothing was taken back');
  story.mend();
  await story.until(() => changes.some(({ after }) => after === 'void'), 'who came too late is told');
}

/** At a home that is cut off from the others then, with changes that all have. */
async function openedAt(
  story: Story,
  before?: (client: DocumentClient) => Promise<void>,
): Promise<{ home: SimulatedNode; client: DocumentClient }> {
  await story.begin();
  const home = story.others[0]!;
  const client = story.document('d1', [home]);
  await story.until(() => client.isSettled, 'the document is open');
  for (let i = 0; i < 3; i++) await change(story, client);
  await before?.(client);
  story.split(story.nodes.filter((node) => node !== home));
  await story.pass(3_000);
  return { home, client };
}

async function change(
  story: Story,
  client: DocumentClient,
  operations?: readonly PatchOperation[],
): Promise<void> {
  const { changes } = story.world.record;
  client.change(operations);
  await story.until(() => changes.at(-1)!.outcome !== 'open', 'the change is answered');
  story.must(changes.at(-1)!.outcome === 'acked', 'the change is acknowledged');
  await story.pass(100);
}

async function lose(story: Story, home: SimulatedNode): Promise<void> {
  story.loseDisk(home);
  story.mend();
  await story.start(home);
}
