/** Stories of what retention removes. */
import type { Story } from './story.js';

/** D5. A home is away longer than the grace and goes on alone, while all it has is trimmed elsewhere. It comes back: what was
 *  trimmed does not, what it alone has is merged, and its reader is told what it will not get. */
export async function zombie(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const away = others[1]!;
  const reader = story.reader('r', [away]);
  const client = story.publisher('p', [owner]);
  await story.published(client, 10);
  await story.until(() => story.had(reader) >= 11, 'the reader has what there is');
  story.split(story.nodes.filter((node) => node !== away));
  await story.pass(3_000);
  const alone = await story.published(story.publisher('q', [away], { levels: ['owner'] }), 3);
  await story.published(client, 40);
  // Longer than the grace, and than maintenance takes.
  await story.pass(8_000);
  story.mend();
  await story.published(client, 3);
  await story.pass(2_000);
  const last = await story.published(client, 1);
  const lines = [...alone, ...last].map(({ line }) => line);
  const had = (line: number): boolean =>
    reader.places[0]!.reader.events.some((event) => event.type === 'entry' && event.line === line);
  await story.until(() => lines.every(had), 'its reader goes on');
  const { events } = reader.places[0]!.reader;
  story.must(
    events.some((event) => event.type === 'gap' && event.reason === 'trimmed'),
    'its reader is told what is trimmed',
  );
}

/** A reader is away while what it has not read is forced out: it is told that it was forced, wherever it comes back. */
export async function forcedOut(story: Story): Promise<void> {
  await story.begin();
  const reader = story.reader('r', [story.others[0]!]);
  const client = story.publisher('p');
  await story.published(client, 10);
  await story.until(() => story.had(reader) >= 11, 'the reader has what there is');
  const { owner, others } = story;
  const away = others[0]!;
  away.crash(false);
  await story.published(client, 30);
  await story.trim(owner, 5);
  await story.start(away);
  await story.until(() => story.had(reader) >= 16, 'the reader has what is left');
  const { events } = reader.places[0]!.reader;
  story.must(
    events.some((event) => event.type === 'gap' && event.reason === 'forced'),
    'its reader is told that something was forced out',
  );
}

/** D9. The disks of all homes are full, and stay as large as they are: publishes are refused, a trim is forced all the same, and
 *  what it frees is published into. */
export async function forcedOnFullDisks(story: Story): Promise<void> {
  await story.begin();
  const client = story.publisher('p', story.nodes, { payloadBytesMax: 3_000 });
  for (let i = 0; i < 20; i++) await story.published(client, 40);
  await story.pass(3_000);
  for (const { disk } of story.nodes) disk.capacityBytes = disk.usedBytes + 20_000;
  const isFull = ({ engine }: Story['nodes'][number]): boolean => engine?.status().diskFull === true;
  await story.until(() => story.nodes.every(isFull), 'all disks are full');
  const refused = story.publish(client, 5);
  await story.settled(refused);
  story.must(
    refused.every(({ outcome }) => outcome === 'rejected'),
    'publishes are refused, and not written',
  );
  await story.trim(story.owner, 10);
  await story.until(() => !story.nodes.some(isFull), 'all disks have room again');
  await story.published(client, 20);
}
