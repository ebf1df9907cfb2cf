/** A story about notifications that somebody marks as read. */
import type { Story } from './story.js';

/** More than a client marks at once in the end. */
const noticesMissed = 8;

/** Somebody at a node that is cut off marks all as read, while others are notified at the other side: those stay unread. */
export async function readBesideOthers(story: Story): Promise<void> {
  await story.begin();
  const home = story.others[0]!;
  const service = story.notifications({ name: 'i1', isService: true }, [story.owner]);
  const reader = story.notifications({ name: 'i2', isService: false }, [home]);
  const isSettled = (): boolean => service.isSettled && reader.isSettled;
  await story.until(isSettled, 'both have the channel');
  service.notify(undefined);
  await story.until(isSettled, 'the first notification is there');
  story.split(story.nodes.filter((node) => node !== home));
  await story.pass(3_000);
  for (let i = 0; i < noticesMissed; i++) service.notify(undefined);
  await story.until(isSettled, 'those at the other side are acknowledged');
  await story.pass(1_000);
  reader.readAll();
  await story.until(isSettled, 'all are marked as read where nobody knows of those');
  story.mend();
  await story.pass(5_000);
}
