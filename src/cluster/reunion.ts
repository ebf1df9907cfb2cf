/** Finding others again: known addresses when alone, and whoever is held dead, so that both sides of a healed partition
 *  meet, or has left: it may come back knowing nobody. Those that went recently are also pinged, which costs less and works
 *  sooner. */
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Member } from './member.js';
import type { MemberTable } from './member-table.js';
import type { MembershipParameters } from './parameters.js';

export class Reunion {
  readonly #parameters: MembershipParameters;
  readonly #table: MemberTable;
  readonly #random: Random;
  /** In the order they became known; the first ones make room. */
  readonly #known = new Set<string>();
  #nextRejoinAt = Number.POSITIVE_INFINITY;
  /** Until then a missing one is looked for as often as when alone. */
  #eagerUntil = Number.NEGATIVE_INFINITY;
  #nextDeadPingAt = Number.POSITIVE_INFINITY;
  #strangerAt = Number.NEGATIVE_INFINITY;

  constructor(parameters: MembershipParameters, table: MemberTable, random: Random) {
    this.#parameters = parameters;
    this.#table = table;
    this.#random = random;
  }

  start(now: number): void {
    this.#nextRejoinAt = now;
    this.#nextDeadPingAt = now + this.#parameters.deadPingIntervalMs;
  }

  stop(): void {
    this.#nextRejoinAt = Number.POSITIVE_INFINITY;
    this.#nextDeadPingAt = Number.POSITIVE_INFINITY;
  }

  get deadline(): number {
    return Math.min(this.#nextRejoinAt, this.#nextDeadPingAt);
  }

  /** Addresses to try, from configuration, discovery or an earlier life. */
  learn(addresses: readonly string[], now: number): void {
    const { deadPingMs } = this.#parameters;
    for (const address of addresses) {
      if (!this.#known.has(address)) this.#eagerUntil = now + deadPingMs;
      this.#known.delete(address);
      this.#known.add(address);
      if (this.#known.size > limits.knownAddressesMax) this.#known.delete([...this.#known][0]!);
    }
    if (this.#nextRejoinAt !== Number.POSITIVE_INFINITY) this.#nextRejoinAt = now;
  }

  /** Where to try a sync now, if that is due and there is anybody to look for. */
  rejoinAddress(ownAddress: string, now: number): string | undefined {
    if (now < this.#nextRejoinAt) return undefined;
    const { rejoinIntervalMs, syncIntervalMs } = this.#parameters;
    const present = new Set([ownAddress]);
    for (const { present: isPresent, profile } of this.#table.values()) {
      if (isPresent) present.add(profile.peerAddress);
    }
    const lost = [...this.#known].filter((address) => !present.has(address));
    // Who was not met since the start is not held dead, so nobody pings it: two halves that both restarted while they were
    // cut off from each other meet by this alone.
    const isEager = this.#table.presentCount === 1 || (lost.length > 0 && now < this.#eagerUntil);
    this.#nextRejoinAt =
      now + (isEager ? rejoinIntervalMs : syncIntervalMs * (0.75 + this.#random.next() / 2));
    for (const member of this.#table.pick(1, isGone)) lost.push(member.profile.peerAddress);
    return lost[Math.floor(this.#random.next() * lost.length)];
  }

  /** One of those that went recently, now and then. */
  goneToPing(now: number): Member | undefined {
    if (now < this.#nextDeadPingAt) return undefined;
    this.#nextDeadPingAt = now + this.#parameters.deadPingIntervalMs;
    if (this.#table.presentCount > this.#table.size) return undefined;
    const recent = now - this.#parameters.deadPingMs;
    return this.#table.pick(1, (member) => isGone(member) && member.changedAt > recent)[0];
  }

  /** Whether to sync with a sender nobody told us of. */
  meetsStranger(now: number): boolean {
    if (now - this.#strangerAt < this.#parameters.rejoinIntervalMs) return false;
    this.#strangerAt = now;
    return true;
  }
}

function isGone({ state }: Member): boolean {
  return state === 'dead' || state === 'left';
}
