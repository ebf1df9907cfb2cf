/** The names of a hub's channels over the whole ring: every member that is reached says which it is a home of. A home alone may not
 *  have yet what others committed, so a list is whole where of each part of the ring as many answer as a claim needs: one of them
 *  was among those that committed. Else it says that it is not. */
import { type ChannelName, type HubName, type NodeId, parseChannelName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { areMet, claimNeeds } from '../../cluster/intervals.js';
import type { RingTable } from '../../cluster/ring-table.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { ChannelSize, Clock, Timers } from '../ports.js';
import { Deadlines } from './deadlines.js';
import { heldOf } from './held-intervals.js';
import type { ListAsked, Listed } from './peer-messages.js';

export interface ListingParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly self: NodeId;
  ring(): RingTable;
  isLinked(peer: NodeId): boolean;
  tell(peer: NodeId, message: ListAsked | Listed): void;
  /** In their order, of those that this node is a home of. */
  held(hub: HubName, page: ListPage): Promise<readonly ChannelSize[]>;
  /** This node may lack what it is a home of. */
  isRecovering(interval: string): boolean;
  failed(error: unknown): void;
}

export interface ListPage {
  readonly after: string;
  readonly limit: number;
}

export interface ListedChannels {
  /** In their order. */
  readonly names: readonly ChannelName[];
  /** There are further ones. */
  readonly more: boolean;
  /** Some may be missing: of a part of the ring too few homes answered. */
  readonly isPartial: boolean;
}

/** What one node holds. */
type Said = Pick<Listed, 'channels' | 'more' | 'isWhole'>;

const nothing: Said = { channels: [], more: false, isWhole: false };

export class Listing {
  readonly #asked = new Map<number, { readonly peer: NodeId; readonly answer: (said: Said) => void }>();
  readonly #deadlines: Deadlines<number>;
  /** Under way here, and for others. */
  #pages = 0;
  #answering = 0;
  #lastId = 0;
  #isStopped = false;

  constructor(readonly parts: ListingParts) {
    this.#deadlines = new Deadlines(parts.clock, parts.timers, (id) => this.#settle(id, nothing));
  }

  async page(hub: HubName, page: ListPage): Promise<Result<ListedChannels, Failure>> {
    if (this.#isStopped) return err(failure('UNAVAILABLE', { retryAfterMs: 1_000 }));
    if (this.#pages >= limits.listPagesMax) return err(failure('OVERLOADED', { retryAfterMs: 500 }));
    this.#pages++;
    try {
      const { self } = this.parts;
      const table = this.parts.ring();
      const members = table.ring.members.map(({ node }) => node);
      const said = new Map<NodeId, Said>();
      if (members.includes(self)) said.set(self, await this.#own(hub, page));
      // Nobody else is asked where nothing is committed without this node.
      if (!isCovered(table, said)) {
        const others = members.filter((node) => node !== self);
        const answers = await Promise.all(others.map((node) => this.#ask(node, hub, page)));
        for (const [i, node] of others.entries()) said.set(node, answers[i]!);
      }
      return ok({ ...merged([...said.values()], page.limit), isPartial: !isCovered(table, said) });
    } finally {
      this.#pages--;
    }
  }

  received(peer: NodeId, message: ListAsked | Listed): void {
    if (message.type === 'listAsked') return void this.#answer(peer, message);
    if (this.#asked.get(message.id)?.peer === peer) this.#settle(message.id, message);
  }

  unlinked(peer: NodeId): void {
    for (const [id, asked] of this.#asked) if (asked.peer === peer) this.#settle(id, nothing);
  }

  stop(): void {
    this.#isStopped = true;
    for (const id of this.#asked.keys()) this.#settle(id, nothing);
    this.#deadlines.stop();
  }

  async #own(hub: HubName, page: ListPage): Promise<Said> {
    const held = await this.parts.held(hub, page);
    const channels = held.map(({ ref }) => ref.channel);
    const { ids } = heldOf(this.parts.ring(), this.parts.self);
    const isWhole = !ids.some((id) => this.parts.isRecovering(id));
    return { channels, more: channels.length === page.limit, isWhole };
  }

  #ask(peer: NodeId, hub: HubName, { after, limit }: ListPage): Promise<Said> {
    return new Promise((answer) => {
      if (!this.parts.isLinked(peer) || this.#isStopped) return answer(nothing);
      const id = ++this.#lastId;
      this.#asked.set(id, { peer, answer });
      this.#deadlines.set(id, this.parts.clock.monotonicMs() + limits.listAnswerMs);
      const ringVersion = this.parts.ring().ring.version;
      this.parts.tell(peer, { type: 'listAsked', id, ringVersion, hub, after, limit });
    });
  }

  #settle(id: number, said: Said): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    this.#deadlines.delete(id);
    asked?.answer(said);
  }

  /** What this node holds is whole only under the same ring. */
  async #answer(peer: NodeId, { id, ringVersion, hub, after, limit }: ListAsked): Promise<void> {
    if (this.#isStopped || this.#answering >= limits.listAnswersMax)
      return this.parts.tell(peer, { type: 'listed', id, ...nothing });
    this.#answering++;
    try {
      const said = await this.#own(hub, { after, limit: Math.min(limit, limits.channelsPageMax) });
      const isWhole = said.isWhole && ringVersion === this.parts.ring().ring.version;
      if (!this.#isStopped) this.parts.tell(peer, { type: 'listed', id, ...said, isWhole });
    } catch (error) {
      if (!this.#isStopped) this.parts.failed(error);
    } finally {
      this.#answering--;
    }
  }
}

/** Up to where all have said what they hold: behind the last name of one that has more, others may come in between. */
function merged(said: readonly Said[], limit: number): Omit<ListedChannels, 'isPartial'> {
  let end: string | undefined;
  for (const { channels, more } of said) {
    const last = channels.at(-1);
    if (more && last !== undefined && (end === undefined || last < end)) end = last;
  }
  const names = new Set<ChannelName>();
  for (const { channels } of said) {
    for (const channel of channels) {
      const name = parseChannelName(channel);
      if (name.ok && (end === undefined || channel <= end)) names.add(name.value);
    }
  }
  const sorted = [...names].sort();
  return { names: sorted.slice(0, limit), more: end !== undefined || sorted.length > limit };
}

function isCovered(table: RingTable, said: ReadonlyMap<NodeId, Said>): boolean {
  const whole = new Set([...said].filter(([, { isWhole }]) => isWhole).map(([node]) => node));
  if (table.ring.members.every(({ node }) => whole.has(node))) return true;
  for (const index of table.indexes()) if (!areMet(claimNeeds(table.interval(index)), whole)) return false;
  return true;
}
