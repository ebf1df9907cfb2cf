/** Nodes as far as publishing goes, and what became of what was published there. */
import { utf8, utf8Text } from '../../../src/base/bytes.js';
import type { ChannelName, ChannelRef, HubName, NodeId, WriterId } from '../../../src/base/ids.js';
import { Forwarding } from '../../../src/engine/cluster/forwarding.js';
import type { ForwardedPublish, PeerMessage } from '../../../src/engine/cluster/peer-messages.js';
import type { PendingPublish, PublishOrigin } from '../../../src/engine/pending.js';
import { type Failure } from '../../../src/protocol/errors.js';
import type { Accepted, Reached } from '../../../src/sessions/ack-range.js';
import { type PeerNode, PeerWorld } from './peer-world.js';

const hub = 'default' as HubName;
export const room: ChannelRef = { hub, channel: 'room' as ChannelName };
export const hall: ChannelRef = { hub, channel: 'hall' as ChannelName };

export interface Written {
  readonly name: string;
  readonly node: NodeId;
  readonly at: number;
}

export type Outcome = { readonly accepted: Accepted & Reached } | { readonly failed: Failure };

/** A node as far as publishing goes: what it takes it writes after a while, in order. */
export class Node {
  readonly forwarding: Forwarding;
  readonly taken: string[] = [];
  readonly outcomes = new Map<string, Outcome[]>();
  flushes = 0;
  commitMs = 2;
  /** Takes publishes and never answers. */
  isStuck = false;
  refuse: Failure | undefined;
  #waiting: PendingPublish[] = [];
  #refs = new Map<PendingPublish, ChannelRef>();
  #names: string[] = [];

  constructor(
    readonly world: PeerWorld,
    readonly peer: PeerNode,
    readonly writes: Written[],
  ) {
    const { clock } = world;
    this.forwarding = new Forwarding(
      { neighbours: peer, timers: clock, clock },
      {
        publish: (item, origin) => this.#take(pendingOf(item, origin), item.ref),
        publishHere: (pending, ref) => this.#take(pending, ref),
        flush: () => void this.flushes++,
      },
    );
    peer.handler = {
      received: (from: NodeId, message: PeerMessage) => {
        if (message.type === 'publish' || message.type === 'published')
          this.forwarding.received(from, message);
      },
      unlinked: (from: NodeId) => this.forwarding.unlinked(from),
    };
  }

  publish(name: string, ref = room, more: Partial<PendingPublish> = {}): void {
    const requestId = this.#names.push(name) - 1;
    const item = { id: requestId, ref, actor: 'ann', content: utf8(name), retain: false } as ForwardedPublish;
    const pending = { ...pendingOf(item, this.origin), ...more };
    const isHere = this.peer.acting(ref).at === 'here';
    // As the engine must: behind what is under way.
    const isBehind = [...this.#refs.values()].includes(ref);
    if ((isHere || isBehind) && !this.forwarding.holds(ref)) this.#take(pending, ref);
    else this.forwarding.forward(pending, ref, 'quorum', true);
  }

  readonly origin: PublishOrigin = {
    publishAccepted: (accepted, reached) =>
      this.#told(accepted.requestId, { accepted: { ...accepted, ...reached } }),
    publishFailed: (requestId, failed) => this.#told(requestId, { failed }),
  };

  /** One word an outcome, in the order in which they were published. */
  get told(): string[] {
    return this.#names.map((name) => {
      const all = this.outcomes.get(name) ?? [];
      return all.map((each) => ('failed' in each ? each.failed.code : 'ok')).join('+') || 'open';
    });
  }

  #told(requestId: number, outcome: Outcome): void {
    const name = this.#names[requestId]!;
    this.outcomes.set(name, [...(this.outcomes.get(name) ?? []), outcome]);
  }

  #take(pending: PendingPublish, ref: ChannelRef): void {
    this.taken.push(utf8Text(pending.content));
    if (this.isStuck) return;
    if (this.refuse) return pending.origin.publishFailed(pending.requestId, this.refuse);
    this.#refs.set(pending, ref);
    if (this.#waiting.push(pending) === 1) this.world.clock.after(this.commitMs, () => this.#commit());
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const pending of waiting) {
      const ref = this.#refs.get(pending)!;
      this.#refs.delete(pending);
      if (this.peer.acting(ref).at !== 'here') {
        this.forwarding.giveBack(pending, ref, 'quorum', true);
        continue;
      }
      const seq = this.writes.length + 1;
      this.writes.push({
        name: utf8Text(pending.content),
        node: this.peer.self,
        at: this.world.clock.monotonicMs(),
      });
      const { requestId } = pending;
      const dot = { writer: '0a'.repeat(12) as WriterId, seq };
      pending.origin.publishAccepted(
        { requestId, dot, timestamp: seq, duplicate: false },
        { level: 'quorum', copies: 2 },
      );
    }
  }
}

function pendingOf(item: ForwardedPublish, origin: PublishOrigin): PendingPublish {
  return {
    kind: 'publish',
    origin,
    requestId: item.id,
    content: item.content,
    actor: item.actor,
    publisher: item.publisher,
    idempotencyKey: item.idempotencyKey,
    retain: item.retain,
    push: item.push,
    scope: `${item.actor}/`,
    contentHash: 0,
    dot: undefined,
    timestamp: 0,
    level: 'quorum',
    degrade: true,
    duplicate: false,
  };
}

export class Cluster {
  readonly world: PeerWorld;
  readonly writes: Written[] = [];
  readonly a: Node;
  readonly b: Node;
  readonly c: Node;

  constructor(seed = 1) {
    this.world = new PeerWorld(seed);
    this.a = new Node(this.world, this.world.node('a'), this.writes);
    this.b = new Node(this.world, this.world.node('b'), this.writes);
    this.c = new Node(this.world, this.world.node('c'), this.writes);
    this.world.linkAll();
    this.acts(this.b);
  }

  get nodes(): readonly Node[] {
    return [this.a, this.b, this.c];
  }

  acts(node: Node | undefined, ref?: ChannelRef): void {
    for (const each of this.nodes) each.peer.believe(node?.peer, ref);
  }

  pass(ms: number): Promise<void> {
    return this.world.pass(ms);
  }

  get written(): string[] {
    return this.writes.map(({ name }) => name);
  }

  messages(type: PeerMessage['type']): number {
    return this.world.told.filter(({ message }) => message.type === type).length;
  }
}

export function make() {
  const cluster = new Cluster();
  const { a, b, c } = cluster;
  return {
    cluster,
    a,
    b,
    c,
    acts: (node: Node | undefined) => cluster.acts(node),
    pass: (ms: number) => cluster.pass(ms),
    sent: () => cluster.world.told.map(({ message }) => message),
  };
}
