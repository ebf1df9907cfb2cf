/** Connections that have not proved who they are. A node does so within milliseconds, so there is always room for one more: it is
 *  made by ending the one that has waited for longest, of the address that has most. Addresses of nodes have places of their own,
 *  which no stranger elsewhere takes. */
import { limits } from '../base/limits.js';
import { sourceOf } from '../base/source-address.js';

const perAddressMax = limits.peerConnectionsUnprovenMax / 2;

interface Place {
  readonly source: string;
  /** Among the places that all share. */
  readonly isShared: boolean;
  end(): void;
}

export class Unproven {
  /** By name, the oldest first. */
  readonly #places = new Map<string, Place>();
  readonly #counts = new Map<string, number>();
  #shared = 0;
  #members: ReadonlySet<string> = new Set();
  /** Where somebody proved to be a node: it may come back, or others of its machine. */
  readonly #proven = new Set<string>();

  /** Where members are. */
  expect(addresses: readonly string[]): void {
    this.#members = new Set(addresses.map(sourceOf));
  }

  /** One more from that address, which `end` ends. */
  add(name: string, address: string, end: () => void): void {
    const source = sourceOf(address);
    const isShared = !this.#members.has(source) && !this.#proven.has(source);
    if ((this.#counts.get(source) ?? 0) >= perAddressMax) this.#endOldest(source);
    else if (isShared && this.#shared >= limits.peerConnectionsUnprovenMax) this.makeRoom();
    this.#places.set(name, { source, isShared, end });
    this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1);
    if (isShared) this.#shared++;
  }

  /** It ended. */
  remove(name: string): void {
    const place = this.#places.get(name);
    if (!place) return;
    this.#places.delete(name);
    if (place.isShared) this.#shared--;
    const left = this.#counts.get(place.source)! - 1;
    if (left > 0) this.#counts.set(place.source, left);
    else this.#counts.delete(place.source);
  }

  /** It is a node. */
  proved(name: string): void {
    const source = this.#places.get(name)?.source;
    this.remove(name);
    if (source === undefined) return;
    this.#proven.delete(source);
    this.#proven.add(source);
    if (this.#proven.size > limits.membersMax) this.#proven.delete(this.#proven.values().next().value!);
  }

  /** Ends one that shares its place with all; false where there is none. */
  makeRoom(): boolean {
    let most: string | undefined;
    let count = 0;
    for (const { source, isShared } of this.#places.values()) {
      const own = this.#counts.get(source)!;
      if (isShared && own > count) [most, count] = [source, own];
    }
    if (most !== undefined) this.#endOldest(most);
    return most !== undefined;
  }

  #endOldest(source: string): void {
    for (const [name, place] of this.#places) {
      if (place.source !== source) continue;
      this.remove(name);
      return place.end();
    }
  }
}
