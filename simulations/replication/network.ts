/** Frames under way between nodes, as bytes. They may get lost, arrive twice and overtake each other; links are cut in one
 *  direction or in both. */
import type { Random } from '../../src/base/random.js';

export interface Parcel {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

export interface NetworkHabits {
  readonly loss: number;
  readonly copies: number;
  /** Frames of one link arrive in the order they were sent. */
  readonly inOrder: boolean;
}

const parcelsMax = 200;

export class Network {
  readonly parcels: Parcel[] = [];
  /** Sent so far. */
  bytes = 0;
  readonly #cuts = new Set<string>();

  constructor(
    readonly random: Random,
    public habits: NetworkHabits,
  ) {}

  send(parcel: Parcel): void {
    this.bytes += parcel.bytes.length;
    if (this.random.next() < this.habits.loss) return;
    this.parcels.push(parcel);
    if (this.random.next() < this.habits.copies) this.parcels.push(parcel);
    // A link whose end does not read is closed some day.
    if (this.parcels.length > parcelsMax) this.parcels.splice(0, parcelsMax / 2);
  }

  /** Takes one out that may arrive now; one on a cut link is gone. */
  next(): Parcel | undefined {
    if (this.parcels.length === 0) return undefined;
    const span = this.random.next() < 0.8 ? Math.min(4, this.parcels.length) : this.parcels.length;
    let at = Math.floor(this.random.next() * span);
    const { from, to } = this.parcels[at]!;
    if (this.habits.inOrder)
      at = this.parcels.findIndex((parcel) => parcel.from === from && parcel.to === to);
    const [parcel] = this.parcels.splice(at, 1);
    return parcel && !this.isCut(parcel.from, parcel.to) ? parcel : undefined;
  }

  cut(from: number, to: number): void {
    this.#cuts.add(`${from}>${to}`);
  }

  cutBoth(a: number, b: number): void {
    this.cut(a, b);
    this.cut(b, a);
  }

  mend(a: number, b: number): void {
    this.#cuts.delete(`${a}>${b}`);
    this.#cuts.delete(`${b}>${a}`);
  }

  isCut(from: number, to: number): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
  }
}
