/** Small worlds drawn to get near one kind of trouble: the same chance as everywhere, with what does not matter left out. */
import { type Replicas, appendQuorum, replicaCount } from '../../src/cluster/ring.js';
import { chanceFor } from './chance.js';
import { type FaultKind, drawFaults } from './faults.js';
import type { PlainPublisherPlan } from './plain-publisher.js';
import type { PublisherPlan } from './publisher.js';
import type { ReaderPlan } from './reader.js';
import { settingsPlan } from './settings-operator.js';
import { type SwarmPlan, drawSteadyPlan } from './swarm.js';

export interface Steering {
  readonly nodes?: number;
  readonly replicas?: Replicas;
  readonly lengthMs?: number;
  /** Nodes beside the ring, where it is to change. */
  readonly spares?: number;
  /** How often in the run, in the mean. */
  readonly faults: Partial<Readonly<Record<FaultKind, number>>>;
  readonly publishers?: Partial<PublisherPlan>;
  readonly readers?: Partial<ReaderPlan>;
  readonly plain?: Omit<PlainPublisherPlan, 'name' | 'channels'>;
  /** Clients whose sessions are kept. */
  readonly restores?: number;
  /** Clients that come to a channel and go. */
  readonly presences?: number;
  /** Clients that change a document. */
  readonly documents?: number;
  /** A service and clients that read its notifications. */
  readonly notifications?: number;
  /** Users that want the same names of groups. */
  readonly groups?: number;
  /** People that register the same names. */
  readonly registrations?: number;
  /** Clients of a hub whose settings change. */
  readonly gates?: number;
}

const shortMs = 20_000;

export function steeredPlan(seed: number, steering: Steering): SwarmPlan {
  const { nodes = 3, replicas = 3, lengthMs = shortMs, faults, publishers, readers, plain } = steering;
  const { presences = 0, documents = 0, notifications = 0, groups = 0, restores = 0 } = steering;
  const drawn = drawSteadyPlan(seed, nodes);
  const channels = drawn.channels.slice(0, 1);
  const meant = Object.entries(faults) as [FaultKind, number][];
  const rates = new Map(meant.map(([kind, times]) => [kind, (times * 60_000) / lengthMs]));
  const lostDisksMax = appendQuorum(replicaCount(replicas, nodes)) - 1;
  return {
    ...drawn,
    world: {
      ...drawn.world,
      replicas,
      ...(steering.spares === undefined ? {} : { spares: steering.spares }),
      virtualNodes: 2,
      membershipScale: 2,
      timeScale: 1,
      documentsAt: 'owner',
      keepsSettings: keepsSettings(steering),
    },
    channels,
    publishers: drawn.publishers.map((plan) => ({
      ...plan,
      channels,
      perSecond: 5,
      payloadBytesMax: 20,
      levels: [undefined],
      restartsPerMinute: 0,
      ...publishers,
    })),
    plainPublishers: plain ? [{ name: 'plain1', channels, ...plain }] : [],
    readers: drawn.readers.map((plan) => ({ ...plan, channels, ...readers })),
    presences: Array.from({ length: presences }, (_, i) => ({ name: `s${i + 1}`, movesPerMinute: 10 })),
    documents: Array.from({ length: documents }, (_, i) => ({
      name: `d${i + 1}`,
      changesPerMinute: 60,
      degrade: true,
      timeoutMs: 20_000,
      restartsPerMinute: 0,
    })),
    notifications: Array.from({ length: notifications }, (_, i) => ({
      name: `i${i + 1}`,
      isService: i === 0,
      movesPerMinute: 60,
      timeoutMs: 20_000,
      restartsPerMinute: 0,
    })),
    groups: Array.from({ length: groups }, (_, i) => ({ name: `g${i + 1}`, everyMs: 1_000 })),
    ...hubsOf(steering),
    restores: Array.from({ length: restores }, (_, i) => ({
      name: `k${i + 1}`,
      channels: [...channels, 'kept:1', 'kept:2'],
      movesPerMinute: 60,
    })),
    histories: drawn.histories.map((plan) => ({ ...plan, channel: channels[0]! })),
    lengthMs,
    reconnectMaxMs: 500,
    rates,
    faults: drawFaults(chanceFor(seed, 'steered'), {
      nodes,
      fromMs: 2_000,
      toMs: lengthMs,
      lostDisksMax,
      rates,
    }),
  };
}

function keepsSettings({ groups = 0, registrations = 0, gates = 0 }: Steering): boolean {
  return groups + registrations + gates > 0;
}

function hubsOf({ registrations = 0, gates = 0 }: Steering): Pick<SwarmPlan, 'registrations' | 'settings'> {
  return {
    registrations: Array.from({ length: registrations }, (_, i) => ({ name: `v${i + 1}`, everyMs: 3_000 })),
    settings: settingsPlan(Math.min(gates, 1), gates, { changesPerMinute: 60, usesPerMinute: 200 }),
  };
}
