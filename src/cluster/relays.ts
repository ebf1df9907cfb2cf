/** Pings made for others: their answers go back under the asker's number, or a nack when they are late. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { MembershipParameters } from './parameters.js';

export interface Asker {
  readonly node: NodeId;
  readonly address: string;
  readonly seq: number;
}

interface Relay {
  readonly asker: Asker;
  readonly target: NodeId;
  nackAt: number;
  endsAt: number;
  nacked: boolean;
}

export class Relays {
  readonly #parameters: MembershipParameters;
  readonly #nack: (asker: Asker) => void;
  readonly #relays = new Map<number, Relay>();

  constructor(parameters: MembershipParameters, nack: (asker: Asker) => void) {
    this.#parameters = parameters;
    this.#nack = nack;
  }

  get full(): boolean {
    return this.#relays.size >= limits.relayedProbesMax;
  }

  get deadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { nacked, nackAt, endsAt } of this.#relays.values()) {
      nearest = Math.min(nearest, nacked ? endsAt : nackAt);
    }
    return nearest;
  }

  /** `seq` is the number of our own ping to the target. */
  begin(seq: number, asker: Asker, target: NodeId, now: number): void {
    const { probeTimeoutMs, probeIntervalMs } = this.#parameters;
    const times = { nackAt: now + probeTimeoutMs, endsAt: now + probeIntervalMs };
    this.#relays.set(seq, { asker, target, ...times, nacked: false });
  }

  /** The asker to be told, if this is the target's answer to a ping of ours. */
  answered(seq: number, from: NodeId): Asker | undefined {
    const relay = this.#relays.get(seq);
    if (relay?.target !== from) return undefined;
    this.#relays.delete(seq);
    return relay.asker;
  }

  tick(now: number): void {
    for (const [seq, relay] of this.#relays) {
      if (relay.endsAt <= now) this.#relays.delete(seq);
      if (relay.nacked || relay.nackAt > now) continue;
      relay.nacked = true;
      this.#nack(relay.asker);
    }
  }

  extend(byMs: number): void {
    for (const relay of this.#relays.values()) {
      relay.nackAt += byMs;
      relay.endsAt += byMs;
    }
  }
}
