/** Clients through a node that loses power again and again, at any step of its disk: what was acknowledged is there, once,
 *  and a reader that resumes gets the log, no more and no less. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { type Json, type TestSession, World } from './harness.js';

const channels = ['red', 'green', 'blue'];
const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

test.each(seeds)('seed %i', async (seed) => {
  await expect(new Run(seed).toTheEnd()).resolves.toBeUndefined();
});

test('the same search finds a disk that only pretends to sync', async () => {
  let found = 0;
  for (const seed of seeds) await new Run(seed, true).toTheEnd().catch(() => found++);
  expect(found).toBeGreaterThan(seeds.length / 2);
});

class Run {
  readonly #random;
  readonly #world: World;
  /** Message id by key, as acknowledged. */
  readonly #acked = new Map<string, string>();
  readonly #open = new Map<string, string>();
  readonly #delivered = new Map<string, string[]>(channels.map((channel) => [channel, []]));
  readonly #cursors = new Map<string, string>();
  readonly #fresh = new Map<string, Json[]>();
  #count = 0;

  constructor(seed: number, syncDoesNothing = false) {
    this.#random = seededRandom(seed);
    this.#world = new World({ segmentBytes: 64 * 1024, seed, syncDoesNothing });
  }

  async toTheEnd(): Promise<void> {
    for (let life = 0; life < 6; life++) await this.oneLife();
    await this.lastLife();
    this.check();
  }

  async oneLife(): Promise<void> {
    const world = this.#world;
    if (!(await this.#boots(Math.floor(this.#random.next() * 120)))) return this.#loosePower();
    const [writer, reader] = [world.connect(), world.connect()];
    this.#subscribe(reader);
    for (const [key, channel] of this.#open) this.#publish(writer, key, channel);
    for (let i = 0; i < 30 && world.disk.alive; i++) {
      const channel = channels[Math.floor(this.#random.next() * channels.length)]!;
      const key = `k${++this.#count}`;
      this.#open.set(key, channel);
      this.#publish(writer, key, channel);
      if (this.#random.next() < 0.4) await world.pass(Math.floor(this.#random.next() * 10));
    }
    this.#take(writer, reader);
    this.#loosePower();
  }

  /** Without faults: everything is acknowledged and read. */
  async lastLife(): Promise<void> {
    const world = this.#world;
    expect(await this.#boots(Infinity)).toBe(true);
    const [writer, reader, fresh] = [world.connect(), world.connect(), world.connect()];
    this.#subscribe(reader);
    for (const [key, channel] of this.#open) this.#publish(writer, key, channel);
    await world.pass(1_000);
    this.#take(writer, reader);
    for (const channel of channels) {
      await fresh.subscribe(channel, { beginning: true });
      await world.pass(500);
      this.#fresh.set(channel, fresh.entries(channel));
    }
  }

  check(): void {
    expect([...this.#open.keys()]).toEqual([]);
    const stored = new Map<string, string>();
    for (const channel of channels) {
      const entries = this.#fresh.get(channel)!;
      expect(this.#delivered.get(channel)).toEqual(entries.map((entry) => entry.id));
      for (const { id, data } of entries.filter((entry) => entry.kind === 'publish')) {
        expect(stored.has(data), `${data} is stored once`).toBe(false);
        stored.set(data, id);
      }
    }
    expect(stored.size).toBe(this.#count);
    for (const [key, id] of this.#acked) expect(stored.get(key)).toBe(id);
  }

  async #boots(dieAfter: number): Promise<boolean> {
    let died: () => void = () => {};
    const death = new Promise<boolean>((resolve) => (died = () => resolve(false)));
    this.#world.disk.dieAfter(dieAfter, died);
    const started = this.#world.start().then(() => true);
    return this.#world.run(Promise.race([started, death]));
  }

  #loosePower(): void {
    this.#world.disk.powerLoss();
    this.#world.index.powerLoss();
  }

  #publish(writer: TestSession, key: string, channel: string): void {
    const requestId = Number(key.slice(1));
    writer.sendText(JSON.stringify({ requestId, publish: { channel, data: key, idempotencyKey: key } }));
  }

  #subscribe(reader: TestSession): void {
    const wanted = channels.map((channel) => {
      const cursor = this.#cursors.get(channel);
      return { channel, ...(cursor === undefined ? { beginning: true } : { cursor }) };
    });
    reader.sendText(JSON.stringify({ requestId: 1, subscribe: { channels: wanted } }));
  }

  /** What the clients saw before the power went. */
  #take(writer: TestSession, reader: TestSession): void {
    for (const { requestId, ack } of writer.messages) {
      if (!ack) continue;
      const key = `k${requestId}`;
      const known = this.#acked.get(key);
      if (known !== undefined) expect(ack.id).toBe(known);
      this.#acked.set(key, ack.id);
      this.#open.delete(key);
    }
    expect(reader.gaps()).toEqual([]);
    for (const channel of channels) {
      this.#delivered.get(channel)!.push(...reader.entries(channel).map((entry) => entry.id));
      const cursor = reader.cursor(channel);
      if (cursor !== undefined) this.#cursors.set(channel, cursor);
    }
  }
}
