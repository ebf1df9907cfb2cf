/** The ordering of a node without others: it holds the claim on everything, and what is synced is committed. */
import type { ChannelRef } from '../base/ids.js';
import type { Reached } from '../sessions/ack-range.js';
import type { ActiveChannel } from './active-channel.js';
import type { Delivery } from './delivery.js';
import type { Acting } from './cluster/neighbours.js';
import { isReadAnew } from './missing.js';
import type { Claim } from './notes.js';
import type { Fetched, Ordering, Stamped, Stamping } from './ordering.js';

/** One home of one: what is synced here is on W of R′ disks. */
const reached: Reached = { level: 'quorum', copies: 1 };
const here: Acting = { at: 'here' };

export class Alone implements Ordering {
  readonly hasWork = false;
  readonly #claim: Claim;
  readonly #delivery: Delivery;

  constructor(claim: Claim, delivery: Delivery) {
    this.#claim = claim;
    this.#delivery = delivery;
  }

  get writer() {
    return this.#claim.writer;
  }

  acting(): Acting {
    return here;
  }

  isHome(): boolean {
    return true;
  }

  loaded(): void {}

  used(): void {}

  known(): undefined {}

  release(): boolean {
    return true;
  }

  cut(): undefined {}

  /** Our first entry in a channel says what it follows; after it nothing foreign arrives. */
  stamping({ stampedSeq, log }: ActiveChannel): Stamping {
    const { round, writer } = this.#claim;
    return { as: 'owner', round, parents: stampedSeq === 0 ? log.parentsFor(writer, true) : undefined };
  }

  trimLimit({ log }: ActiveChannel): number {
    return log.endPosition;
  }

  elsewhere(): void {}

  waits(): void {}

  built(): void {}

  synced(stamped: readonly Stamped[], bytes: Uint8Array): void {
    for (const { channel, run, items } of stamped) {
      if (run) {
        const position = channel.log.endPosition - run.count;
        const start = run.offset + run.headerBytes;
        const records = bytes.subarray(start, start + run.recordBytes);
        const span = { ...run, position };
        const pieces = isReadAnew(channel.log, [span]) ? undefined : [{ ...run, records }];
        this.#delivery.committed(channel, position, pieces);
      }
      for (const item of items) {
        if (item.kind === 'trim') item.settled(true);
        else if (item.kind === 'publish') item.origin.publishAccepted(item, reached);
      }
    }
  }

  /** There is nobody to ask. */
  async fetch(_ref: ChannelRef, dots: Parameters<Ordering['fetch']>[1]): Promise<Fetched> {
    return { type: 'lost', dots };
  }

  stop(): void {}
}
