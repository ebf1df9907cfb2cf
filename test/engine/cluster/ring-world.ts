/** A cluster under load whose ring changes, and what must hold afterwards. */
import { expect } from 'vitest';
import type { ChannelRef } from '../../../src/base/ids.js';
import type { RingIntent } from '../../../src/cluster/ring-intent.js';
import { channelPosition } from '../../../src/cluster/ring-position.js';
import { RingTable } from '../../../src/cluster/ring-table.js';
import type { ClusterId, Ring } from '../../../src/cluster/ring.js';
import { ClusterWorld, type ClusterWorldOptions, type TestNode, virtualNodes } from './cluster-world.js';
import { type Json, TestSession, anonymous } from '../harness.js';

const channels = ['news', 'chat:1', 'chat:2', 'chat:3', 'doc', 'a', 'b', 'c', 'd', 'e', 'f', 'g'];

export class RingWorld extends ClusterWorld {
  /** Of each channel what was acknowledged at level `quorum`. */
  readonly acked = new Map<string, unknown[]>();
  readonly channels = channels;
  readonly levels: string[] = [];
  readonly failures: string[] = [];
  #sessions = new Map<TestNode, { readonly session: TestSession; readonly engine: unknown }>();
  #isLoaded = false;
  #sent = 0;

  static async begin(options: ClusterWorldOptions): Promise<RingWorld> {
    const world = new RingWorld(options);
    await world.run(Promise.all(world.nodes.map((node) => node.start(true))));
    await world.pass(3_000);
    return world;
  }

  get up(): TestNode[] {
    return this.nodes.filter(({ handlers }) => handlers !== undefined);
  }

  /** Somebody publishes to all channels at all nodes that are up, until `rest`. */
  load(everyMs = 20): void {
    this.#isLoaded = true;
    const next = (): void => {
      if (!this.#isLoaded) return;
      // Shifted with every round, so that no node keeps to the same channels.
      const shift = Math.floor(this.#sent / channels.length);
      for (const node of this.up) this.#publish(node, channels[(this.#sent + shift) % channels.length]!);
      this.clock.after(everyMs, next);
    };
    next();
  }

  async rest(): Promise<void> {
    this.#isLoaded = false;
    await this.pass(3_000);
  }

  /** Cuts a node off after a while of load, and has it acknowledge something alone in each channel that it is a home of. */
  async writesAlone(node: TestNode): Promise<void> {
    this.load();
    await this.pass(1_000);
    await this.rest();
    this.isolate(node);
    await this.pass(3_000);
    const session = new TestSession(node as never, { principal: anonymous });
    let count = 0;
    for (const channel of this.channels) {
      if (!this.homes(channel).includes(node)) continue;
      const data = `alone in ${channel}`;
      const answer = await session.publish(channel, data, { level: 'owner', degrade: true });
      expect(answer.ack?.level ?? answer.error).toBe('owner');
      this.acked.set(channel, [...(this.acked.get(channel) ?? []), data]);
      count++;
    }
    expect(count).toBeGreaterThan(3);
  }

  /** The session of a node's present process. */
  session(node: TestNode): TestSession {
    const known = this.#sessions.get(node);
    if (known?.engine === node.engine) return known.session;
    const session = new TestSession(node as never, { principal: anonymous });
    this.#sessions.set(node, { session, engine: node.engine });
    this.#hear(session);
    return session;
  }

  #publish(node: TestNode, channel: string): void {
    const { state } = node.engine.status();
    if (state !== 'serving' || (node.engine.cluster!.ring().members.length < 2 && this.nodes.length > 1))
      return;
    const data = `${channel} ${++this.#sent}`;
    const session = this.session(node);
    this.#asked.set(`${session.handle.id}/${this.#sent}`, { channel, data });
    session.sendText(JSON.stringify({ requestId: this.#sent, publish: { channel, data } }));
  }

  readonly #asked = new Map<string, { readonly channel: string; readonly data: string }>();

  #hear(session: TestSession): void {
    const write = session.write.bind(session);
    let read = 0;
    session.write = (frames) => {
      write(frames);
      for (; read < session.messages.length; read++) this.#answered(session, session.messages[read]);
    };
  }

  #answered(session: TestSession, message: Json): void {
    const first = message.requestId ?? message.ack?.firstRequestId;
    if (first === undefined || !(message.ack || message.error)) return;
    const count = message.ack?.count ?? 1;
    for (let id = first; id < first + count; id++) {
      const asked = this.#asked.get(`${session.handle.id}/${id}`);
      if (!asked) continue;
      this.#asked.delete(`${session.handle.id}/${id}`);
      if (message.error) this.failures.push(message.error.code);
      else this.levels.push(message.ack.level);
      if (message.ack?.level !== 'quorum') continue;
      this.#quorums.set(session, (this.#quorums.get(session) ?? 0) + 1);
      const acked = this.acked.get(asked.channel);
      if (acked) acked.push(asked.data);
      else this.acked.set(asked.channel, [asked.data]);
    }
  }

  change(node: TestNode, intent: RingIntent) {
    return this.run(node.engine.cluster!.change(intent));
  }

  /** Waits until every node that is up goes by one ring without a change. */
  async settled(msMax = 60_000): Promise<number> {
    for (let ms = 0; ms < msMax; ms += 250) {
      await this.pass(250);
      const rings = this.up.map(({ engine }) => engine.cluster!.ring());
      const [first] = rings;
      if (rings.every(({ digest, change }) => digest === first!.digest && !change)) return first!.version;
    }
    throw new Error(`not settled: ${JSON.stringify(this.up.map(({ engine }) => engine.cluster!.ring()))}`);
  }

  /** Homes of the channel among nodes that are up. */
  homes(channel: string, hub = 'default'): TestNode[] {
    const ref = { hub, channel } as ChannelRef;
    const { cluster, version, replicas, members } = this.up[0]!.engine.cluster!.ring();
    const ring: Ring = {
      cluster: cluster as ClusterId,
      version,
      replicas,
      virtualNodes,
      members,
      lineage: [],
    };
    const { homes } = new RingTable(ring).intervalOf(channelPosition(ref));
    return this.up.filter(({ id }) => homes.includes(id));
  }

  /** Nothing acknowledged is lost, all homes hold the same in one order. */
  async check(): Promise<void> {
    const readers = new Map<TestNode, TestSession>();
    for (const node of this.up) readers.set(node, await this.#listenAt(node));
    await this.pass(500);
    for (const channel of channels) {
      const homes = this.homes(channel);
      expect(homes.length).toBeGreaterThan(0);
      const orders = new Set<string>();
      const digests = new Set<string>();
      for (const home of homes) {
        const digest = await this.run(home.engine.digest('default', channel));
        digests.add(digest.ok ? `${digest.value.entries} ${digest.value.digest}` : digest.error.code);
        const data = readers.get(home)!.data(channel);
        orders.add(JSON.stringify(data));
        expect(data).toEqual(expect.arrayContaining(this.acked.get(channel) ?? []));
      }
      expect([...digests]).toHaveLength(1);
      expect([...orders]).toHaveLength(1);
    }
  }

  readonly listeners: { readonly node: TestNode; readonly session: TestSession }[] = [];

  async subscribeAll(): Promise<void> {
    for (const node of this.up) await this.subscribeAt(node);
  }

  /** Listens to all channels from their beginning. */
  async subscribeAt(node: TestNode): Promise<void> {
    const session = await this.#listenAt(node);
    this.listeners.push({ node, session });
  }

  async #listenAt(node: TestNode): Promise<TestSession> {
    const session = new TestSession(node as never, { principal: anonymous });
    const wanted = channels.map((channel) => ({ channel, beginning: true }));
    session.sendText(JSON.stringify({ requestId: 1, subscribe: { channels: wanted } }));
    await this.pass(500);
    return session;
  }

  /** Everybody who listens got everything that was acknowledged, once and in one order. */
  checkSubscribers(): void {
    for (const channel of channels) {
      const orders = new Set(this.listeners.map(({ session }) => JSON.stringify(session.data(channel))));
      expect([...orders]).toHaveLength(1);
      for (const { session } of this.listeners) {
        expect(session.closed).toBeUndefined();
        const data = session.data(channel);
        expect(new Set(data).size).toBe(data.length);
        expect(data).toEqual(expect.arrayContaining(this.acked.get(channel) ?? []));
      }
    }
  }

  alarms(): string[] {
    return this.nodes.flatMap(({ observations }) =>
      observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
    );
  }

  readonly #quorums = new Map<TestSession, number>();

  /** Acks at level `quorum` that a node's session got. */
  quorumAt(node: TestNode): number {
    return this.#quorums.get(this.session(node)) ?? 0;
  }

  count(level: string): number {
    return this.levels.filter((each) => each === level).length;
  }
}
