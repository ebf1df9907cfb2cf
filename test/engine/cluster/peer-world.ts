/** Nodes that talk over links in virtual time: what they tell each other goes as letters, in order, with a delay, until
 *  the link breaks. */
import { ByteWriter } from '../../../src/base/bytes.js';
import type { ChannelRef, NodeId } from '../../../src/base/ids.js';
import { channelKey } from '../../../src/base/ids.js';
import { type Random, seededRandom } from '../../../src/base/random.js';
import type { Acting, Neighbours } from '../../../src/engine/cluster/neighbours.js';
import type { PeerMessage } from '../../../src/engine/cluster/peer-messages.js';
import { decodePeerMessages, eachLetter } from '../../../src/engine/cluster/peer-wire.js';
import { SimulatedClock } from '../../../simulations/world/clock.js';

export interface PeerHandler {
  received(peer: NodeId, message: PeerMessage): void;
  unlinked(peer: NodeId): void;
}

interface Link {
  /** Counts how often it was made: what an earlier one carried is lost. */
  generation: number;
  stands: boolean;
  arrivesAt: number;
}

export class PeerWorld {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly nodes = new Map<NodeId, PeerNode>();
  readonly #links = new Map<string, Link>();
  /** One way. */
  delayMs = (): number => 1;
  /** Every message that was sent. */
  readonly told: { from: NodeId; to: NodeId; message: PeerMessage }[] = [];

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  node(name: string): PeerNode {
    const id = name.padEnd(32, '0').replaceAll(/[^0-9a-f]/g, '0') as NodeId;
    const node = new PeerNode(this, id);
    this.nodes.set(id, node);
    return node;
  }

  link(a: PeerNode, b: PeerNode): void {
    for (const way of [`${a.self}${b.self}`, `${b.self}${a.self}`]) {
      const generation = (this.#links.get(way)?.generation ?? 0) + 1;
      this.#links.set(way, { generation, stands: true, arrivesAt: 0 });
    }
  }

  linkAll(): void {
    // Only what does not stand: a new link loses what an old one carries.
    const all = [...this.nodes.values()];
    all.forEach((a, i) => all.slice(i + 1).forEach((b) => this.isLinked(a.self, b.self) || this.link(a, b)));
  }

  /** Both are told at once; what is under way is lost. */
  cut(a: PeerNode, b: PeerNode): void {
    if (!this.isLinked(a.self, b.self)) return;
    for (const way of [`${a.self}${b.self}`, `${b.self}${a.self}`]) this.#links.get(way)!.stands = false;
    a.handler?.unlinked(b.self);
    b.handler?.unlinked(a.self);
  }

  isLinked(a: NodeId, b: NodeId): boolean {
    return this.#links.get(`${a}${b}`)?.stands ?? false;
  }

  carry(from: PeerNode, to: NodeId, letter: Uint8Array): void {
    const link = this.#links.get(`${from.self}${to}`);
    if (!link?.stands) return;
    const { generation } = link;
    link.arrivesAt = Math.max(link.arrivesAt, this.clock.monotonicMs() + this.delayMs());
    this.clock.after(link.arrivesAt - this.clock.monotonicMs(), () => {
      const now = this.#links.get(`${from.self}${to}`)!;
      if (!now.stands || now.generation !== generation) return;
      const messages = decodePeerMessages(letter.slice());
      if (!messages.ok) throw new Error(messages.error);
      for (const message of messages.value) this.nodes.get(to)!.handler?.received(from.self, message);
    });
  }

  pass(ms: number): Promise<void> {
    return this.clock.until(this.clock.sleep(ms));
  }
}

export class PeerNode implements Neighbours {
  handler: PeerHandler | undefined;
  /** By channel; `*` for all others. */
  readonly beliefs = new Map<string, Acting>();
  readonly homes = new Map<string, readonly NodeId[]>();
  #due = new Map<NodeId, PeerMessage[]>();

  constructor(
    readonly world: PeerWorld,
    readonly self: NodeId,
  ) {}

  believe(acting: PeerNode | undefined, ref?: ChannelRef): void {
    const at = !acting ? 'nowhere' : acting === this ? 'here' : 'peer';
    const belief = at === 'peer' ? { at, peer: acting!.self } : { at };
    this.beliefs.set(ref ? channelKey(ref) : '*', belief as Acting);
  }

  isHome(ref: ChannelRef): boolean {
    return this.#homesOf(ref).includes(this.self);
  }

  acting(ref: ChannelRef): Acting {
    return this.beliefs.get(channelKey(ref)) ?? this.beliefs.get('*') ?? { at: 'nowhere' };
  }

  reachableHomes(ref: ChannelRef): readonly NodeId[] {
    return this.#homesOf(ref).filter((home) => this.isLinked(home));
  }

  isLinked(peer: NodeId): boolean {
    return this.world.isLinked(this.self, peer);
  }

  tell(peer: NodeId, message: PeerMessage): void {
    if (this.#due.size === 0) this.world.clock.soon(() => this.#send());
    this.world.told.push({ from: this.self, to: peer, message });
    const due = this.#due.get(peer);
    if (due) due.push(message);
    else this.#due.set(peer, [message]);
  }

  #send(): void {
    const due = this.#due;
    this.#due = new Map();
    for (const [peer, messages] of due) {
      for (const letter of lettersOf(messages)) this.world.carry(this, peer, letter);
    }
  }

  #homesOf(ref: ChannelRef): readonly NodeId[] {
    return this.homes.get(channelKey(ref)) ?? this.homes.get('*') ?? [];
  }
}

/** As they are sent. */
export function lettersOf(messages: readonly PeerMessage[]): Uint8Array[] {
  const letters: Uint8Array[] = [];
  eachLetter(messages, new ByteWriter(256), (letter) => letters.push(letter.slice()));
  return letters;
}
