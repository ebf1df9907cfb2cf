/** What this node holds, as reconciliation compares it: made from the store's index and, where that knows no digest, from
 *  disk, a bounded piece at a time with rests between. */
import type { ChannelRef } from '../../base/ids.js';
import { utf8 } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { channelPosition } from '../../cluster/ring-position.js';
import type { Sha256 } from '../../log/hash-sum.js';
import { type ItemTable, ItemTableBuilder, itemOf } from '../../replication/reconcile-items.js';
import type { RingRange } from '../../replication/reconcile-messages.js';
import { type Pace, restAfter } from '../../replication/pace.js';
import type { ChannelContent, Clock, LogStore, StoredDigest, Timers } from '../ports.js';
import { holdsPosition } from './shared-arcs.js';

export interface TablePorts {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sha256: Sha256;
}

export interface TableRequest {
  /** Rising: channels elsewhere are left out. */
  readonly arcs: readonly RingRange[];
  /** Unix milliseconds: what was read from disk before is read again. */
  readonly notBefore?: number;
  readonly pace: Pace;
  /** Nobody waits for it any more. */
  isStopped(): boolean;
  /** Told now and then. */
  progress?(channels: number, entries: number): void;
}

export interface MadeTable {
  readonly table: ItemTable;
  readonly entries: number;
  /** Everything that arrived through this one is in it; 0 when something had to be left out. */
  readonly arrival: number;
}

/** `undefined` once it is stopped. */
export async function makeTable(ports: TablePorts, request: TableRequest): Promise<MadeTable | undefined> {
  return await new Making(ports, request).run();
}

class Making {
  readonly #ports: TablePorts;
  readonly #request: TableRequest;
  readonly #builder: ItemTableBuilder;
  readonly #salt: Uint8Array;
  readonly #arrival: number;
  #isWhole = true;
  #entries = 0;
  #workedSince: number;
  #bytes = 0;

  constructor(ports: TablePorts, request: TableRequest) {
    this.#ports = ports;
    this.#request = request;
    this.#builder = new ItemTableBuilder(ports.sha256);
    this.#salt = utf8(ports.store.storeId);
    this.#arrival = ports.store.newestArrival;
    this.#workedSince = ports.clock.monotonicMs();
  }

  async run(): Promise<MadeTable | undefined> {
    const { store } = this.#ports;
    for (const hub of await store.hubs()) {
      for (let after: string | undefined; ;) {
        const limit = limits.scrubPageMax;
        const page = await store.contents(hub, after === undefined ? { limit } : { after, limit });
        for (const content of page) if (!(await this.#add(content))) return undefined;
        if (page.length < limit) break;
        after = page.at(-1)!.ref.channel;
        this.#request.progress?.(this.#builder.size, this.#entries);
        if (!(await this.#rest())) return undefined;
      }
    }
    const building = this.#builder.build();
    for (let step = building.next(); ; step = building.next()) {
      if (step.done)
        return { table: step.value, entries: this.#entries, arrival: this.#isWhole ? this.#arrival : 0 };
      if (!(await this.#rest())) return undefined;
    }
  }

  /** False once it is stopped. */
  async #add(content: ChannelContent): Promise<boolean> {
    const { ref, digest: known } = content;
    const { arcs, notBefore } = this.#request;
    const position = channelPosition(ref);
    if (!holdsPosition(arcs, position)) return true;
    const isFresh = known !== undefined && (notBefore === undefined || known.readAt >= notBefore);
    const digest = isFresh ? known : await this.#read(ref);
    if (this.#request.isStopped()) return false;
    // One that cannot be read to its end now is left for another time: it is being trimmed.
    if (!digest) {
      this.#isWhole = false;
      return true;
    }
    const { through, floors, missing } = digest;
    const isDamaged = missing.length > 0;
    const holding = { ref, digest: digest.digest, through, floors, isDamaged };
    this.#builder.add(ref, position, itemOf(this.#ports.sha256, holding, this.#salt));
    this.#entries += digest.entries;
    return true;
  }

  async #read(ref: ChannelRef): Promise<StoredDigest | undefined> {
    const { notBefore } = this.#request;
    const digest = await this.#ports.store.digest(ref, {
      ...(notBefore === undefined ? {} : { notBefore }),
      pause: (bytes) => {
        this.#bytes += bytes;
        return this.#bytes >= limits.digestStepBytes ? this.#rest().then(() => undefined) : undefined;
      },
    });
    return digest;
  }

  /** False once it is stopped. */
  async #rest(): Promise<boolean> {
    const { clock, timers } = this.#ports;
    const restMs = restAfter(this.#request.pace, clock.monotonicMs() - this.#workedSince, this.#bytes);
    await new Promise<void>((resolve) => {
      if (restMs > 0) timers.after(restMs, resolve);
      else timers.soon(resolve);
    });
    this.#bytes = 0;
    this.#workedSince = clock.monotonicMs();
    return !this.#request.isStopped();
  }
}
