/** What of one incarnation of a node's log other nodes reach, and what it sends them: frames of replication, publishes on
 *  their way to whoever orders them, channels followed for sessions elsewhere. */
import type { ChannelRef, Dot, NodeId } from '../base/ids.js';
import type { RunSummary } from '../log/run.js';
import type { Signal } from '../protocol/messages.js';
import type { Frame } from '../replication/messages.js';
import type { RingPlan } from '../replication/replica.js';
import type { Attached, Cluster } from './cluster.js';
import { Forwarding } from './forwarding.js';
import type { Away, Taker } from './neighbours.js';
import type { PeerMessage } from './peer-messages.js';
import type { PendingPublish } from './pending.js';
import type { EnginePorts } from './ports.js';
import type { Replicated, Writing } from './replicated.js';

export class ClusterSide implements Attached, Away {
  readonly #replicated: Replicated;
  readonly #forwarding: Forwarding;
  #taker: Taker | undefined;

  constructor(ports: EnginePorts, cluster: Cluster, replicated: Replicated, flush: () => void) {
    this.#replicated = replicated;
    const { timers, clock } = ports;
    this.#forwarding = new Forwarding(
      { neighbours: cluster, timers, clock },
      {
        publish: (item, origin) => this.#taker?.forwarded(item, origin),
        publishHere: (pending, ref) => this.#taker?.here(pending, ref),
        flush,
      },
    );
  }

  /** From now on publishes of other nodes are taken. */
  serve(taker: Taker): void {
    this.#taker = taker;
  }

  get counters() {
    return this.#forwarding.counters;
  }

  stop(): void {
    this.#forwarding.stop();
  }

  // To other nodes.

  holds(ref: ChannelRef): boolean {
    return this.#forwarding.holds(ref);
  }

  forward(pending: PendingPublish, ref: ChannelRef): void {
    this.#forwarding.forward(pending, ref, pending.level, pending.degrade);
  }

  giveBack(pending: PendingPublish, ref: ChannelRef): void {
    this.#forwarding.giveBack(pending, ref, pending.level, pending.degrade);
  }

  signal(_ref: ChannelRef, _signal: Signal): void {}

  synced(_ref: ChannelRef, _run: RunSummary, _bytes: Uint8Array): void {}

  committed(_ref: ChannelRef, _dot: Dot): void {}

  tip(_ref: ChannelRef, _dot: Dot): void {}

  // From other nodes.

  frame(peer: NodeId, frame: Frame): void {
    this.#replicated.received(peer, frame);
  }

  received(peer: NodeId, message: PeerMessage): void {
    switch (message.type) {
      case 'publish':
      case 'published':
        return this.#forwarding.received(peer, message);
      default:
    }
  }

  linked(peer: NodeId): void {
    this.#replicated.linked(peer);
  }

  unlinked(peer: NodeId): void {
    this.#replicated.unlinked(peer);
    this.#forwarding.unlinked(peer);
  }

  want(interval: string, wanted: boolean): void {
    this.#replicated.want(interval, wanted);
  }

  write(writing: Writing): void {
    this.#replicated.write(writing);
  }

  ringNotes(plan: RingPlan): ReadonlyMap<string, Uint8Array> {
    return this.#replicated.replica.ringNotes(plan);
  }

  changeRing(plan: RingPlan): void {
    this.#replicated.changeRing(plan);
  }

  gathers(interval: string): boolean {
    return this.#replicated.replica.gathers(interval);
  }

  isRecovering(interval: string): boolean {
    return this.#replicated.replica.isRecovering(interval);
  }

  rerouted(): void {
    this.#forwarding.wake();
  }

  ownerOf(interval: string): NodeId | undefined {
    return this.#replicated.replica.ownerOf(interval);
  }
}
