/** Stories about owners that lose power, their disk, their time or their way. */
import type { Story } from './story.js';

/** D1. The owner sends an entry to another home and loses power before its own disk has it. It starts again and publishes:
 *  under another writer, so both entries stand. */
export async function seqReuse(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const writer = owner.engine!.status().writer;
  const client = story.publisher('p', [owner], { timeoutMs: 2_000 });
  await story.published(client, 1);
  const newest = (): number => owner.rawDisk.lastBefore(`default/${story.channel}`, writer, Infinity);
  const next = newest() + 1;
  owner.disk.latencyMsMax = 3_000;
  owner.disk.isLate = true;
  const lost = story.publish(client, 1);
  await story.until(() => others.some((home) => story.holds(home, writer, next)), 'another home has it');
  story.must(!story.holds(owner, writer, next), 'the owner does not have it yet');
  owner.crash(true);
  owner.disk.latencyMsMax = 0.6;
  owner.disk.isLate = false;
  await story.start(owner);
  await story.settled(lost);
  // It gets its intervals back.
  for (const home of others) home.crash(false);
  await story.start(...others);
  const again = await story.published(client, 3);
  for (const { dot } of again) story.must(dot!.writer !== writer, 'another start is another writer');
}

/** D2. Of two entries one reaches the first of the others only, the next the second only; then the owner's disk is gone. */
export async function hole(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b, c] = others;
  const reader = story.reader('r', [b!]);
  const client = story.publisher('p', [owner], { timeoutMs: 2_000 });
  story.split([owner, b!]);
  story.publish(client, 1);
  await story.pass(300);
  story.split([owner, c!]);
  story.publish(client, 1);
  await story.pass(300);
  story.loseDisk(owner);
  story.mend();
  await story.start(owner);
  const acked = await story.published(story.publisher('q', others), 5);
  await story.until(() => story.had(reader) >= acked.length, 'the reader goes on', 2_000);
}

/** D3. The owner stands still for 30 s while publishes are under way; another takes over and acknowledges 100. Then the first
 *  wakes, believing that it owns. */
export async function sleepingOwner(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const here = story.publisher('here', [owner], { timeoutMs: 60_000 });
  await story.published(here, 3);
  const under = story.publish(here, 5);
  await story.pass(1);
  owner.machine.pause();
  const there = story.publisher('there', others);
  const acked = await story.published(there, 100);
  story.must(story.owner !== owner, 'another owns');
  await story.pass(30_000);
  const late = story.publish(here, 5);
  owner.machine.resume();
  await story.settled([...under, ...late]);
  for (const publish of acked) story.must(publish.reached === 'quorum', 'all 100 are at quorum');
}

/** D4. An ack is lost, and the owner that gave it too, while only one other home has the entry; the publisher tries again at
 *  the one that lacks it. */
export async function retryElsewhere(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const [b, c] = others;
  const reader = story.reader('r', [c!]);
  const client = story.publisher('p', [owner, b!], { timeoutMs: 60_000 });
  await story.published(client, 1);
  story.split([owner, c!]);
  story.cut(owner.name, 'p');
  const tried = story.publish(client, 3);
  await story.pass(500);
  owner.crash(true);
  story.mend();
  await story.settled(tried);
  for (const { outcome } of tried) story.must(outcome === 'acked', 'the publisher gets its ack elsewhere');
  story.must(
    tried.some(({ duplicate }) => duplicate),
    'the owner after it knows the publish',
  );
  await story.start(owner);
  await story.until(() => story.had(reader) >= 4, 'the reader has all');
}

/** D13. The owner is killed again and again, while one reader listens and another one sleeps and comes back. A hundred times,
 *  since each costs a tenth of a second and more; a thousand, told once, held too and took two minutes of a processor. */
export async function churn(story: Story, restarts = 100): Promise<void> {
  await story.begin();
  const awake = story.reader('awake');
  const sleeper = story.reader('sleeper');
  const client = story.publisher('p');
  for (let i = 0; i < restarts; i++) {
    await story.published(client, 2);
    const { owner } = story;
    owner.crash(i % 3 === 0);
    await story.published(client, 1);
    await story.start(owner);
    if (i % 10 === 9) sleeper.handOver();
    const cursor = awake.places[0]!.subscription.cursor ?? '';
    story.must(Buffer.from(cursor, 'base64url').length <= 2_048, 'a cursor stays small');
  }
  await story.until(() => story.had(awake) >= 3 * restarts, 'the reader has all');
}

/** A home that is cut off goes on alone, and a reader there gets what it wrote; then its disk is gone, and with it that tail.
 *  The reader is told so before it goes on. */
export async function lostTail(story: Story): Promise<void> {
  await story.begin();
  const [b] = story.others;
  const reader = story.reader('r', [b!]);
  await story.published(story.publisher('p', [story.owner]), 10);
  story.split(story.nodes.filter((node) => node !== b));
  await story.pass(3_000);
  const alone = await story.published(story.publisher('q', [b!], { levels: ['owner'] }), 10);
  await story.until(() => story.had(reader) >= 21, 'the reader has what was written alone');
  story.must(
    alone.every(({ copies }) => copies === 1),
    'one disk has it',
  );
  story.loseDisk(b!);
  story.mend();
  await story.start(b!);
  await story.published(story.publisher('s', story.others), 5);
  await story.until(() => story.had(reader) >= 26, 'the reader goes on');
}

/** An owner is cut off and comes back while a client that does not number what it sends goes on publishing there: what waited
 *  goes to the next owner in its order. Looking keys up takes long, so that more waits meanwhile. */
export async function orderlyReturn(story: Story): Promise<void> {
  await story.begin();
  const { owner, others } = story;
  const there = story.publisher('there', others);
  story.plain('here', [owner], 60);
  for (let i = 0; i < 3; i++) {
    story.split(others);
    owner.index.latencyMsMax = 1;
    await story.pass(2_500);
    await story.published(there, 5);
    owner.index.latencyMsMax = 150;
    story.mend();
    await story.pass(2_500);
  }
  owner.index.latencyMsMax = 1;
}

/** An owner that knew all keys of the channel is cut off; another one takes a publish, which is said again to the first one,
 *  without a number, once it is back and owns. */
export async function repeatAtReturned(story: Story): Promise<void> {
  await story.begin();
  const { owner, others, channel } = story;
  const here = story.plain('here', [owner], 0.000_01);
  await story.until(() => here.isUp, 'somebody is connected to the owner');
  await story.settled([here.publish(channel)]);
  story.split(others);
  await story.published(story.publisher('between', others), 1);
  const there = story.plain('there', others, 0.000_01);
  await story.until(() => there.isUp, 'somebody is connected to another');
  const publish = there.publish(channel);
  await story.settled([publish]);
  story.must(publish.reached === 'quorum', 'what the other one took is safe');
  story.mend();
  await story.pass(12_000);
  await story.published(story.publisher('after', [owner]), 1);
  story.must(story.owner === owner, 'the first owns again');
  here.repeat(publish);
  await story.pass(1_000);
}
