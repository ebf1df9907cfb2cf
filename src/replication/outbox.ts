/** Gathers what is to be done until the engine takes it: one frame for each peer, messages of one kind put together. */
import { type ChannelRef, type NodeId, type StoreId, channelKey } from '../base/ids.js';
import type { LostRange } from '../log/entry.js';
import type { Claim } from './claim.js';
import type { Effect } from './effects.js';
import type {
  Acks,
  Append,
  Asked,
  Fenced,
  Frame,
  IntervalClaim,
  IntervalId,
  PeerMessage,
  WithTrim,
} from './messages.js';

export class Outbox {
  readonly #peers = new Map<NodeId, PeerOutbox>();
  #effects: Effect[] = [];

  add(effect: Exclude<Effect, { type: 'send' }>): void {
    this.#effects.push(effect);
  }

  to(peer: NodeId): PeerOutbox {
    let outbox = this.#peers.get(peer);
    if (!outbox) this.#peers.set(peer, (outbox = new PeerOutbox()));
    return outbox;
  }

  /** Everything since the last time; frames last. */
  take(storeId: StoreId, ringVersion: number): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    for (const [to, outbox] of this.#peers) {
      const messages = outbox.messages();
      const frame: Frame = { storeId, ringVersion, messages };
      if (messages.length > 0) effects.push({ type: 'send', to, frame });
    }
    this.#peers.clear();
    return effects;
  }
}

/** What goes to one peer. */
class PeerOutbox {
  readonly #asks: IntervalClaim[] = [];
  readonly #answers: Asked['answers'][number][] = [];
  readonly #claims: IntervalClaim[] = [];
  readonly #grants: IntervalClaim[] = [];
  readonly #promises: Fenced['promises'][number][] = [];
  readonly #appends = new Map<
    string,
    { -readonly [K in keyof Append]: Append[K] } & { runs: Uint8Array[] }
  >();
  readonly #acks = new Map<string, Acks & { readonly channels: { ref: ChannelRef; seq: number }[] }>();
  readonly #others: PeerMessage[] = [];

  ask(claim: IntervalClaim): void {
    this.#asks.push(claim);
  }

  answer(answer: Asked['answers'][number]): void {
    this.#answers.push(answer);
  }

  claim(claim: IntervalClaim): void {
    this.#claims.push(claim);
  }

  grant(claim: IntervalClaim): void {
    this.#grants.push(claim);
  }

  fence(interval: IntervalId, promise: Claim | undefined): void {
    if (promise) this.#promises.push({ interval, claim: promise });
  }

  /** Adds to the append of this channel; it always names the newest committed entry. */
  append(interval: IntervalId, claim: Claim, ref: ChannelRef, runs: readonly Uint8Array[]): void {
    const key = channelKey(ref);
    const append = this.#appends.get(key);
    if (append && append.claim === claim) append.runs.push(...runs);
    else this.#appends.set(key, { type: 'append', interval, claim, ref, runs: [...runs] });
  }

  tellCommitted(ref: ChannelRef, committed: Append['committed']): boolean {
    const append = this.#appends.get(channelKey(ref));
    if (append && committed) append.committed = committed;
    return append !== undefined;
  }

  tellTrim(ref: ChannelRef, { trim }: WithTrim): void {
    const append = this.#appends.get(channelKey(ref));
    if (append && trim) append.trim = trim;
  }

  tellGivenUp(ref: ChannelRef, givenUp: readonly LostRange[]): void {
    const append = this.#appends.get(channelKey(ref));
    if (append) append.givenUp = givenUp;
  }

  ack(interval: IntervalId, claim: Claim, ref: ChannelRef, seq: number): void {
    const key = `${interval}/${claim.round}/${claim.writer}`;
    const acks = this.#acks.get(key);
    if (acks) acks.channels.push({ ref, seq });
    else this.#acks.set(key, { type: 'ack', interval, claim, channels: [{ ref, seq }] });
  }

  other(message: PeerMessage): void {
    this.#others.push(message);
  }

  messages(): readonly PeerMessage[] {
    const out: PeerMessage[] = [];
    if (this.#asks.length > 0) out.push({ type: 'ask', claims: this.#asks });
    if (this.#answers.length > 0) out.push({ type: 'asked', answers: this.#answers });
    if (this.#claims.length > 0) out.push({ type: 'claim', claims: this.#claims });
    if (this.#grants.length > 0) out.push({ type: 'granted', claims: this.#grants });
    if (this.#promises.length > 0) out.push({ type: 'fenced', promises: this.#promises });
    out.push(...this.#others, ...this.#appends.values(), ...this.#acks.values());
    return out;
  }
}
