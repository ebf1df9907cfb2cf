/** What one seed does: how large the cluster is, who publishes and reads what, and what goes wrong. */
import { type Replicas, appendQuorum, replicaCount } from '../../src/cluster/ring.js';
import type { Random } from '../../src/base/random.js';
import { chanceFor, logBetween, pick, whole } from './chance.js';
import {
  type Fault,
  type FaultKind,
  type FaultPlan,
  drawAmbushRate,
  drawFaults,
  drawRates,
  drawRot,
} from './faults.js';
import type { PlainPublisherPlan } from './plain-publisher.js';
import type { PublisherPlan } from './publisher.js';
import type { HistoryPlan } from './history-reader.js';
import { type DocumentPlan, drawDocuments } from './document-client.js';
import { type NotificationPlan, drawNotifications } from './notification-client.js';
import { type GroupPlan, drawGroups } from './group-client.js';
import { type PresencePlan, drawPresences } from './presence-client.js';
import type { ReaderPlan } from './reader.js';
import { type RegistrationPlan, drawRegistrations } from './registration-client.js';
import { type RestorePlan, drawRestores } from './restore-client.js';
import { type SettingsPlan, drawSettings } from './settings-operator.js';
import type { Level } from './record.js';
import type { WorldPlan } from './world.js';

export interface SwarmPlan {
  readonly world: WorldPlan;
  readonly channels: readonly string[];
  readonly publishers: readonly PublisherPlan[];
  readonly plainPublishers: readonly PlainPublisherPlan[];
  readonly readers: readonly ReaderPlan[];
  readonly histories: readonly HistoryPlan[];
  readonly presences: readonly PresencePlan[];
  readonly documents: readonly DocumentPlan[];
  readonly notifications: readonly NotificationPlan[];
  readonly groups: readonly GroupPlan[];
  readonly registrations: readonly RegistrationPlan[];
  readonly settings: SettingsPlan;
  readonly restores: readonly RestorePlan[];
  /** Of the phase in which things go wrong. */
  readonly lengthMs: number;
  readonly reconnectMaxMs: number;
  readonly rates: ReadonlyMap<FaultKind, number>;
  readonly faults: readonly Fault[];
}

/** Of one run whose ring may change, and never in size. `nodesMeant` instead of a number drawn. */
export function drawSteadyPlan(seed: number, nodesMeant?: number): SwarmPlan {
  const random = chanceFor(seed, 'plan');
  const drawn = pick(random, [1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 7, 9]);
  const nodes = nodesMeant ?? drawn;
  // What nodes say to each other grows with their number squared: the time such a run takes should not.
  const lengthMs = Math.max(20_000, logBetween(random, 20_000, 600_000) / Math.max(1, nodes - 2));
  const replicas =
    nodes === 1 && random.next() < 0.5 ? undefined : pick<Replicas>(random, [3, 3, 3, 2, 4, 5, 'all']);
  const groups = drawGroups(seed);
  const registrations = drawRegistrations(seed, lengthMs);
  const settings = drawSettings(seed, lengthMs);
  const world = {
    seed,
    nodes,
    replicas,
    virtualNodes: pick(random, [1, 2, 4, 8]),
    membershipScale: pick(random, nodes > 3 ? [5, 10] : [1, 5, 10]),
    segmentBytes: pick(random, [32_768, 131_072, 1_048_576]),
    timeScale: pick(random, [1, 1, 0.2, 4]),
    skewMs: pick(random, [0, 20, 400]),
    tellsClients: chanceFor(seed, 'clients told').next() < 0.2,
    documentsAt: pick<'owner' | 'quorum'>(chanceFor(seed, 'level of documents'), ['owner', 'quorum']),
    keepsSettings: groups.length + registrations.length + settings.gates.length > 0,
    ...drawRetention(seed),
  };
  const channels = Array.from({ length: pick(random, [1, 1, 2, 5]) }, (_, i) => `room:${i + 1}`);
  const publishers = drawPublishers(seed, channels, lengthMs);
  const rates = drawRates(random, nodes, lengthMs);
  const lostDisksMax = appendQuorum(replicaCount(replicas ?? 1, nodes)) - 1;
  const span = { nodes, fromMs: 1_000, toMs: lengthMs };
  const plan = { ...span, lostDisksMax };
  const faults = drawRot(chanceFor(seed, 'rot'), plan, drawFaults(random, { ...plan, rates }));
  const ambushing = chanceFor(seed, 'ambushes');
  const ambushRates = drawAmbushRate(ambushing, lengthMs);
  const ambushes = drawFaults(ambushing, { ...span, lostDisksMax: 0, rates: ambushRates });
  const ringing = chanceFor(seed, 'ring changes');
  const spares = drawSpares(ringing, world);
  const ringRates = new Map<FaultKind, number>(
    spares === undefined ? [] : [['ring', (logBetween(ringing, 1, 6) * 60_000) / lengthMs]],
  );
  const changes = drawFaults(ringing, { ...span, lostDisksMax: 0, rates: ringRates });
  const isRinging = spares !== undefined;
  const asked = [
    drawAsked(chanceFor(seed, 'deletions'), 'delete', 0.6, span),
    drawAsked(chanceFor(seed, 'redactions'), 'redact', 0.5, span),
    drawAsked(chanceFor(seed, 'forced trims'), 'force', isRinging ? 0.3 : 0.6, span),
  ];
  const reconnectMaxMs = pick(random, [500, 2_000, 5_000]);
  return {
    world: spares === undefined ? world : { ...world, spares, retention: world.retention ?? often(seed) },
    channels,
    publishers,
    plainPublishers: spares === undefined ? drawPlainPublishers(seed, channels, publishers) : [],
    readers: drawReaders(seed, channels),
    histories: drawHistories(seed, channels),
    presences: drawPresences(seed),
    documents: drawDocuments(seed, lengthMs),
    notifications: drawNotifications(seed, lengthMs),
    groups,
    registrations,
    settings,
    restores: drawRestores(seed, channels),
    lengthMs,
    reconnectMaxMs,
    rates: new Map([...rates, ...ambushRates, ...ringRates, ...asked.flatMap((each) => [...each.rates])]),
    faults: [...faults, ...ambushes, ...changes, ...asked.flatMap((each) => each.faults)].sort(
      (a, b) => a.atMs - b.atMs,
    ),
  };
}

/** What somebody asks for now and then, in some of the runs. */
function drawAsked(
  random: Random,
  kind: FaultKind,
  unlessBelow: number,
  span: Pick<FaultPlan, 'nodes' | 'fromMs' | 'toMs'>,
): { readonly rates: ReadonlyMap<FaultKind, number>; readonly faults: readonly Fault[] } {
  const isMeant = random.next() >= unlessBelow;
  const rates = new Map<FaultKind, number>(
    isMeant ? [[kind, (logBetween(random, 1, 6) * 60_000) / span.toMs]] : [],
  );
  return { rates, faults: drawFaults(random, { ...span, lostDisksMax: 0, rates }) };
}

/** Nodes beside the ring, where it changes in this run; not where a change would make another number of copies. */
function drawSpares(
  random: Random,
  { nodes, replicas }: Pick<WorldPlan, 'nodes' | 'replicas'>,
): number | undefined {
  const isMeant = random.next() < 0.3;
  const spares = whole(random, 0, 2);
  if (!isMeant || nodes > 5 || replicas === undefined || replicas === 'all') return undefined;
  return nodes >= replicas ? spares : undefined;
}

/** In half of the runs something is trimmed: small, since a run is short. */
function drawRetention(seed: number): Pick<WorldPlan, 'retention' | 'trimGraceMs'> {
  const random = chanceFor(seed, 'retention');
  const retention = pick<WorldPlan['retention']>(random, [
    undefined,
    undefined,
    undefined,
    { maxCount: pick(random, [1, 10, 100]) },
    { maxAgeMs: pick(random, [2_000, 20_000]) },
    { maxBytes: 20_000 },
  ]);
  return { retention, trimGraceMs: pick(random, [0, 3_000, 30_000]) };
}

/** Where the ring changes, in most of the runs: both together are what is to be seen. */
export function often(seed: number): WorldPlan['retention'] {
  const random = chanceFor(seed, 'retention beside ring changes');
  return random.next() < 0.3 ? undefined : { maxCount: pick(random, [10, 40]) };
}

/** Of one run, in the mean: more of the same finds less than another seed. */
const publishesMax = 1_500;

function drawPublishers(seed: number, channels: readonly string[], lengthMs: number): PublisherPlan[] {
  const random = chanceFor(seed, 'publishers');
  const count = pick(random, [1, 2, 4]);
  const burstMax = pick(random, [1, 1, 10, 60]);
  const most = (publishesMax * 1_000) / lengthMs;
  const perSecond = logBetween(random, most / 30, most) / (1 + (burstMax - 1) / 2);
  return Array.from({ length: count }, (_, i) => ({
    name: `p${i + 1}`,
    isNamed: random.next() < 0.5,
    channels: channels.slice(0, whole(random, 1, channels.length)),
    perSecond: perSecond / count,
    burstMax,
    payloadBytesMax: pick(random, [20, 300, 3_000]),
    levels: pick<readonly (Level | undefined)[]>(random, [
      [undefined],
      ['quorum'],
      ['owner'],
      ['quorum', 'owner', 'memory', undefined],
    ]),
    degrade: random.next() < 0.5,
    timeoutMs: pick(random, [2_000, 20_000, 120_000]),
    restartsPerMinute: pick(random, [0, 0, 1, 6]),
  }));
}

/** In few runs: nobody is to ask for quorum alone where these are. */
function drawPlainPublishers(
  seed: number,
  channels: readonly string[],
  [first]: readonly PublisherPlan[],
): PlainPublisherPlan[] {
  const random = chanceFor(seed, 'plain publishers');
  if (random.next() < 0.7) return [];
  const perSecond = first?.perSecond ?? 1;
  return [
    {
      name: 'plain1',
      channels: [pick(random, channels)],
      perSecond,
      burstMax: pick(random, [1, 20]),
      hasKeys: random.next() < 0.5,
    },
  ];
}

function drawReaders(seed: number, channels: readonly string[]): ReaderPlan[] {
  const random = chanceFor(seed, 'readers');
  const isRestored = chanceFor(seed, 'readers restored');
  return Array.from({ length: pick(random, [1, 2, 4]) }, (_, i) => ({
    name: `r${i + 1}`,
    channels: channels.slice(0, whole(random, 1, channels.length)),
    start: random.next() < 0.5 ? 'live' : 'beginning',
    phase: 'run',
    handOversPerMinute: pick(random, [0, 1, 10]),
    isRestored: isRestored.next() < 0.2,
  }));
}

function drawHistories(seed: number, channels: readonly string[]): HistoryPlan[] {
  const random = chanceFor(seed, 'histories');
  return Array.from({ length: pick(random, [0, 1, 1, 2]) }, (_, i) => ({
    name: `h${i + 1}`,
    channel: pick(random, channels),
    limit: pick(random, [1, 7, 100]),
    pauseMs: logBetween(random, 50, 5_000),
    pagesANode: pick(random, [2, 10, 1_000]),
  }));
}
