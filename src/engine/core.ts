/** One incarnation of a node's log: an open store, a fresh writer, its claim, and the channels in memory. When the store
 *  fails the whole incarnation is dropped and a new one made, so no state outlives an append of unknown outcome. */
import { toHex, writeOrdered64 } from '../base/bytes.js';
import type { ChannelName, HubName, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { RuleSet } from '../channels/rules.js';
import { HybridClock } from '../log/hybrid-clock.js';
import { PhysicalClock } from '../log/physical-clock.js';
import { Alone } from './alone.js';
import { ChannelTable } from './channel-table.js';
import { Committer, type CommitterHooks } from './committer.js';
import {
  type Claim,
  decodeClaimNote,
  decodeClockNote,
  encodeClaimNote,
  encodeClockNote,
  noteNames,
} from './notes.js';
import { Delivery, type Flusher } from './delivery.js';
import type { Ordering } from './ordering.js';
import type { EnginePorts, LogStore, Logs, Random } from './ports.js';

export interface Core {
  readonly store: LogStore;
  /** Where readers find the logs of channels. */
  readonly logs: Logs;
  readonly ordering: Ordering;
  readonly clock: HybridClock;
  readonly channels: ChannelTable;
  readonly committer: Committer;
  readonly delivery: Delivery;
  readonly physicalMs: () => number;
}

export interface CoreHooks extends CommitterHooks {
  readonly flusher: Flusher;
  rulesOf(hub: HubName, channel: ChannelName): RuleSet;
}

/** Opens the store and makes the new writer and its claim durable before anything is stamped under them. */
export async function startCore(ports: EnginePorts, hooks: CoreHooks): Promise<Core> {
  const store = await ports.openStore();
  try {
    const physical = new PhysicalClock(ports.clock.wallMs(), ports.clock.monotonicMs());
    const physicalMs = (): number => physical.read(ports.clock.wallMs(), ports.clock.monotonicMs());
    const last = decodeClockNote(store.notes.get(noteNames.clock)) ?? 0;
    const clock = new HybridClock({ last, bound: last, offsetMsMax: limits.clockOffsetMsMax });
    const promise = decodeClaimNote(store.notes.get(noteNames.promise));
    const claim: Claim = {
      round: (promise?.round ?? 0) + 1,
      writer: newWriter(ports.clock.wallMs(), ports.random),
    };
    const bound = clock.boundNeeded(physicalMs()) ?? last;
    await store.commit({
      bytes: new Uint8Array(0),
      runs: [],
      notes: new Map([
        [noteNames.promise, encodeClaimNote(claim)],
        [noteNames.clock, encodeClockNote(bound)],
      ]),
    });
    clock.raiseBound(bound);
    const delivery = new Delivery(hooks.flusher);
    const ordering = new Alone(claim, delivery);
    const channels = new ChannelTable(
      store,
      ordering,
      (hub, channel) => hooks.rulesOf(hub, channel),
      () => ports.clock.monotonicMs(),
    );
    const committer = new Committer({ store, timers: ports.timers, clock, physicalMs, ordering }, hooks);
    return { store, logs: store, ordering, clock, channels, committer, delivery, physicalMs };
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
}

/** 48 bits of boot time and 48 random bits: never the same twice, and roughly in order of start. */
function newWriter(wallMs: number, random: Random): WriterId {
  const bytes = new Uint8Array(14);
  writeOrdered64(bytes, 0, Math.max(0, Math.floor(wallMs)));
  bytes.set(random.bytes(6), 8);
  return toHex(bytes.subarray(2)) as WriterId;
}
