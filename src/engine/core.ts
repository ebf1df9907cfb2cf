/** One incarnation of a node's log: an open store, a fresh writer, its claim, and the channels in memory. When the store
 *  fails the whole incarnation is dropped and a new one made, so no state outlives an append of unknown outcome. */
import { toHex, writeOrdered64 } from '../base/bytes.js';
import type { ChannelName, HubName, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { ChannelRules } from '../channels/rules.js';
import type { RingTable } from '../cluster/ring-table.js';
import { HybridClock } from '../log/hybrid-clock.js';
import { allowanceOf } from '../replication/budgets.js';
import { Replica } from '../replication/replica.js';
import { Alone } from './alone.js';
import { ChannelTable } from './channel-table.js';
import { Documents } from './documents/documents.js';
import type { FoldsHooks } from './folds/folds.js';
import { FoldKinds } from './folds/fold-kinds.js';
import { Notifications } from './notifications/notifications.js';
import { ClusterSide } from './cluster/cluster-side.js';
import { Cluster } from './cluster/cluster.js';
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
import { foundIn } from './cluster/founding.js';
import type { NodeTime } from './node-time.js';
import type { EngineOptions } from './options.js';
import type { Ordering } from './ordering.js';
import { Replicated } from './cluster/replicated.js';
import { startNotes, storeFacts } from './cluster/store-facts.js';
import { surroundingsOf } from './cluster/surroundings.js';
import type { EnginePorts, LogStore, Logs, Random } from './ports.js';

export interface Core {
  readonly store: LogStore;
  /** Where readers find the logs of channels. */
  readonly logs: Logs;
  readonly ordering: Ordering;
  readonly clock: HybridClock;
  readonly channels: ChannelTable;
  readonly committer: Committer;
  readonly documents: Documents;
  readonly notifications: Notifications;
  readonly delivery: Delivery;
  readonly physicalMs: () => number;
  /** Of a node among others. */
  readonly cluster?: Cluster;
  readonly side?: ClusterSide;
  readonly table?: RingTable;
}

export interface CoreHooks extends CommitterHooks {
  readonly flusher: Flusher;
  rulesOf(hub: HubName, channel: ChannelName): ChannelRules;
  /** What a hub's channels may hold here. */
  bytesMaxOf(hub: HubName): number;
}

/** Opens the store and makes the new writer, and under what it stamps, durable before anything is stamped. `cluster`: the
 *  one an earlier incarnation was in. */
export async function startCore(
  ports: EnginePorts,
  options: EngineOptions,
  hooks: CoreHooks,
  time: NodeTime,
  cluster?: Cluster,
): Promise<Core> {
  const store = await ports.openStore();
  try {
    const physicalMs = (): number => time.physicalMs();
    const last = decodeClockNote(store.notes.get(noteNames.clock)) ?? 0;
    const clock = new HybridClock({ last, bound: last, offsetMsMax: limits.clockOffsetMsMax });
    const bound = clock.boundNeeded(physicalMs()) ?? last;
    const isRetired = !planted('writer-of-the-disk');
    const writer = isRetired
      ? newWriter(ports.clock.wallMs(), ports.random)
      : (store.storeId.slice(0, 24) as WriterId);
    const base: Base = {
      ports,
      hooks,
      store,
      clock,
      physicalMs,
      writer,
      delivery: new Delivery(hooks.flusher),
      documentCacheBytes: options.documentCacheBytes,
    };
    const plan = options.cluster && ports.peers ? inCluster(base, options, time, cluster) : alone(base);
    const notes = new Map([...plan.notes, [noteNames.clock, encodeClockNote(bound)]]);
    await store.commit({ bytes: new Uint8Array(0), runs: [], notes });
    clock.raiseBound(bound);
    return makeCore(base, plan);
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
}

/** What both kinds of nodes begin with. */
interface Base {
  readonly ports: EnginePorts;
  readonly hooks: CoreHooks;
  readonly store: LogStore;
  readonly clock: HybridClock;
  readonly physicalMs: () => number;
  readonly writer: WriterId;
  readonly delivery: Delivery;
  /** Of documents kept folded. */
  readonly documentCacheBytes: number | undefined;
}

/** Notes that must be durable first, and what is made then. */
interface Plan {
  readonly notes: ReadonlyMap<string, Uint8Array>;
  readonly cluster?: Cluster;
  readonly table?: RingTable;
  order(): Ordering;
}

function alone({ store, writer, delivery }: Base): Plan {
  const promise = decodeClaimNote(store.notes.get(noteNames.promise));
  const claim: Claim = { round: (promise?.round ?? 0) + 1, writer };
  return {
    notes: new Map([[noteNames.promise, encodeClaimNote(claim)]]),
    order: () => new Alone(claim, delivery),
  };
}

function inCluster(base: Base, options: EngineOptions, time: NodeTime, known: Cluster | undefined): Plan {
  const { ports, store, writer, clock, physicalMs, delivery, hooks } = base;
  const found = foundIn(store, options.nodeId, options.cluster!, known?.table.ring);
  const { table, held, notes } = found;
  const cluster = known ?? new Cluster(ports, ports.peers!, found, options, time.peers);
  const share = options.cluster?.catchUpShare ?? 1;
  const order = (): Ordering =>
    new Replicated({
      ports: { ...ports, catchUpPace: { share, bytesPerSecond: Infinity } },
      store,
      writer,
      clock,
      physicalMs,
      trimGraceMs: options.cluster?.trimGraceMs ?? limits.trimGraceMs,
      delivery,
      surroundings: surroundingsOf(cluster),
      makeReplica: (logOf) => {
        const { random } = ports;
        const replica = new Replica({
          self: options.nodeId,
          storeId: store.storeId,
          writer,
          random,
          logOf,
          isDiskSpent: () => store.space() === 'spent',
          intervalOf: (ref) => cluster.intervalOf(ref).id,
          arrivals: storeFacts(store, writer, ports.hashing),
          given: allowanceOf(() => store.bytes),
        });
        replica.ringVersion = table.ring.version;
        for (const { id, sets, changing, start } of held) {
          replica.addInterval(id, sets, start, ports.clock.monotonicMs(), changing);
          cluster.recovering(id, replica.isRecovering(id));
        }
        return replica;
      },
      flush: () => hooks.flush(),
      failed: (error) => hooks.failed(error),
    });
  return { notes: new Map([...notes, ...startNotes(store, writer, ports.random)]), cluster, table, order };
}

function makeCore(base: Base, plan: Plan): Core {
  const { ports, hooks, store, clock, physicalMs, delivery, documentCacheBytes } = base;
  const ordering = plan.order();
  const { cluster } = plan;
  const side =
    cluster && ordering instanceof Replicated
      ? new ClusterSide({
          ports,
          cluster,
          store,
          replicated: ordering,
          delivery,
          flush: () => hooks.flush(),
          failed: (error) => hooks.failed(error),
        })
      : undefined;
  const logs = side?.logs ?? store;
  const rulesOf: CoreHooks['rulesOf'] = (hub, channel) => hooks.rulesOf(hub, channel);
  const channels = new ChannelTable(logs, ordering, rulesOf, () => ports.clock.monotonicMs());
  const { writer } = ordering;
  const foldsHooks = foldsHooksOf(base);
  const documents = new Documents(logs, writer, ports.hashing, foldsHooks, documentCacheBytes);
  const notifications = new Notifications(logs, writer, delivery, foldsHooks);
  delivery.grown = (channel) => notifications.changed(channel);
  const folds = new FoldKinds(documents, notifications);
  const { timers } = ports;
  const bytesMaxOf: CoreHooks['bytesMaxOf'] = (hub) => hooks.bytesMaxOf(hub);
  const committer = new Committer({ store, timers, clock, physicalMs, ordering, folds, bytesMaxOf }, hooks);
  const core = {
    store,
    logs,
    ordering,
    clock,
    channels,
    committer,
    delivery,
    physicalMs,
    documents,
    notifications,
  };
  if (!side || !cluster || !plan.table || !(ordering instanceof Replicated)) return core;
  ordering.attach(channels, committer);
  side.attach(channels);
  return { ...core, cluster, side, table: plan.table };
}

/** 48 bits of boot time and 48 random bits: never the same twice, and roughly in order of start. */
function newWriter(wallMs: number, random: Random): WriterId {
  const bytes = new Uint8Array(14);
  writeOrdered64(bytes, 0, Math.max(0, Math.floor(wallMs)));
  bytes.set(random.bytes(6), 8);
  return toHex(bytes.subarray(2)) as WriterId;
}

function foldsHooksOf({ ports, hooks }: Base): FoldsHooks {
  return {
    failed: (error) => hooks.failed(error),
    broken: ({ hub, channel }, error) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      ports.observer.observe({ type: 'alarm', code: 'INTERNAL', message: `${hub}/${channel}: ${reason}` });
    },
  };
}
