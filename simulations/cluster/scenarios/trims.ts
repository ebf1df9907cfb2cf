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
