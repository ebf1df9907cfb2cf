/** Ten thousand in one channel: joins are seen by all, gathered while they come fast, and pages stay small. */
import { expect, test } from 'vitest';
import type { OutFrame, SessionSink } from '../../src/engine/api.js';
import { limits } from '../../src/base/limits.js';
import { encodeClientFrame } from '../../src/protocol/client-encoder.js';
import { decodeServerFrame } from '../../src/protocol/index.js';
import type { OutgoingMessage, ServerEvent } from '../../src/protocol/messages.js';
import type { HubName } from '../../src/base/ids.js';
import { World, anonymous } from './harness.js';

const channel = 'room:1';
const rules = { sets: { seen: { presence: true } }, hubs: { default: { rules: 'seen' } } };

/** One client that counts what it is told. */
class Member implements SessionSink {
  readonly bufferedBytes = 0;
  readonly frames: Uint8Array[] = [];
  readonly handle;

  constructor(
    world: World,
    readonly number: number,
  ) {
    const id = number.toString(16).padStart(24, '0');
    const opened = world.engine.openSession({
      hub: 'default',
      encoding: 'protobuf',
      principal: anonymous,
      sink: this,
      id,
    });
    if (!opened.ok) throw new Error(opened.error.code);
    this.handle = opened.value;
  }

  write(frames: readonly OutFrame[]): void {
    for (const { bytes } of frames) this.frames.push(bytes);
  }

  close(): void {
    // Nothing to release.
  }

  send(...messages: OutgoingMessage[]): void {
    this.handle.receive(
      encodeClientFrame(
        'protobuf',
        messages.map((message, i) => ({ requestId: i + 1, message })),
      ),
    );
  }

  take(): ServerEvent[] {
    return this.frames.splice(0).flatMap((frame) => {
      const decoded = decodeServerFrame('protobuf', frame, 'default' as HubName);
      return decoded.ok ? decoded.value.map(({ event }) => event) : [];
    });
  }
}

const many = 10_000;
const watch: OutgoingMessage = { type: 'presence', channel, limit: 1, follow: true };
const come: OutgoingMessage = { type: 'subscribe', channels: [{ channel, start: { type: 'live' } }] };

test('one more is seen by all ten thousand, and a page is as long as it was asked for', async () => {
  const world = await World.start({ rules });
  const members: Member[] = [];
  for (let i = 0; i < many; i++) members.push(new Member(world, i));
  const [first] = members;
  first!.send(watch, come);
  await world.pass(100);
  first!.take();
  // A ramp: a hundred a millisecond.
  for (let i = 1; i < many; i++) {
    members[i]!.send(watch, come);
    if (i % 100 === 0) await world.pass(1);
  }
  await world.pass(2_000);
  const ramp = first!.take().flatMap((event) => (event.type === 'join' ? [event] : []));
  expect(ramp.reduce((sum, { members: each, more }) => sum + each.length + more, 0)).toBe(many - 1);
  expect(ramp.at(-1)!.count).toBe(many);
  // Gathered: far fewer frames than joins.
  expect(ramp.length).toBeLessThan(many / 20);
  for (const member of members) member.frames.length = 0;

  const late = new Member(world, many);
  late.send(come);
  await world.pass(1_000);
  for (const member of members) {
    const told = member.take();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ type: 'join', count: many + 1, more: 0 });
  }
  late.send({ type: 'presence', channel, limit: 100 });
  await world.settle();
  const page = late.take().find((event) => event.type === 'presence');
  expect(page).toMatchObject({ count: many + 1, more: true });
  expect(page?.type === 'presence' && page.members.length).toBe(100);

  // All but one go at once: not named one by one.
  for (const member of members.slice(1)) member.handle.disconnected();
  await world.pass(1_000);
  const ends = first!.take();
  expect(ends.every((event) => event.type === 'join' && event.members.length === 0)).toBe(true);
  expect(ends.at(-1)).toMatchObject({ count: 2 });
  expect(ends.length).toBeLessThan(many / limits.presenceChangesToldMax);
});
