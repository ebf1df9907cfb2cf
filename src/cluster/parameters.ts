/** How fast and how patient membership is: every number of SWIM and Lifeguard in one place, with its reason.
 *
 *  SWIM: Das, Gupta, Motivala 2002. Lifeguard: Dadgar, Phillips, Currey 2018. All `…Ms` are milliseconds and scale
 *  together (`scaled`); the others are plain counts. */
export interface MembershipParameters {
  /** One member is probed every so often. With n members each is probed that often too, by one of the others. */
  readonly probeIntervalMs: number;
  /** How long the direct answer may take before others are asked to try, and the stream. */
  readonly probeTimeoutMs: number;
  /** A loop that ran within this, as the thread beside it says, is not blamed for its silence: more than a collection of garbage
   *  or a large commit takes. */
  readonly pulseFreshMs: number;
  /** A busy node's death is put off until its loop has not run for so long; then it counts as stuck. */
  readonly pulseBusyMs: number;
  /** A suspect's pulse is asked for this often, and up to four times as often when its time is nearly over. */
  readonly pulseAskMs: number;
  /** How many others are asked to probe on our behalf. */
  readonly indirectProbers: number;
  /** Those who hear of a suspicion probe the suspect out of turn, about so many of all members. */
  readonly verifiers: number;
  /** After so long everybody does for whom the suspicion is still undecided: gossip missed them. */
  readonly secondLookMs: number;

  /** Suspicion lasts at least factor × max(1, log10 n) × probe interval, and never less than the floor. */
  readonly suspicionFactor: number;
  /** A pause of 500 ms and the way of the refutation must fit in: a busy machine is not a dead one. Routing does not
   *  wait for it. */
  readonly suspicionFloorMs: number;
  /** A suspicion that nobody confirms lasts this many times as long. */
  readonly suspicionMaxFactor: number;
  /** Further accusers that bring a suspicion down to its shortest. */
  readonly confirmations: number;

  /** What is known to few is told to `gossipFanOut` members this often, unless it is fresh: then after
   *  `gossipFreshMs`, so that a leave is known everywhere within 50 ms. */
  readonly gossipIntervalMs: number;
  readonly gossipFreshMs: number;
  readonly gossipFanOut: number;
  /** Everything is told factor × ⌈log10(n + 1)⌉ times by each who heard of it. */
  readonly transmitFactor: number;
  /** Bytes of one packet before it is sealed: 1,400 less what encryption and the sender's time add. */
  readonly packetBytesMax: number;
  /** The leaving node tells so many members itself. */
  readonly leaveToldMax: number;
  /** How long a leaving node stays to answer and to tell. */
  readonly leaveLingerMs: number;

  /** Two members compare everything this often; larger clusters less often, since there is more to compare. */
  readonly syncIntervalMs: number;
  /** A node that knows nobody, or met a stranger, tries a sync this often. */
  readonly rejoinIntervalMs: number;
  /** The dead and those who left are pinged, one each `deadPingIntervalMs`, for so long after that; later only by a sync. */
  readonly deadPingMs: number;
  readonly deadPingIntervalMs: number;
  /** The dead and those who left are remembered so long, to be tried again. */
  readonly deadKeptMs: number;

  /** Highest local health score: intervals and timeouts grow up to 1 + this many times. */
  readonly localHealthMax: number;
  /** Being called later than this means that we were paused, and must not blame others for what we did not hear. */
  readonly stallMs: number;
}

/** Machines of one network, answers within a few milliseconds. A probe each 80 ms gives a first suspicion 130 ms after
 *  a crash in the median; the usual one second would be too slow to route by. */
export const lan: MembershipParameters = {
  probeIntervalMs: 80,
  probeTimeoutMs: 30,
  pulseFreshMs: 250,
  pulseBusyMs: 5_000,
  pulseAskMs: 200,
  indirectProbers: 3,
  verifiers: 8,
  secondLookMs: 160,
  suspicionFactor: 4,
  suspicionFloorMs: 800,
  suspicionMaxFactor: 6,
  confirmations: 2,
  gossipIntervalMs: 50,
  gossipFreshMs: 8,
  gossipFanOut: 3,
  transmitFactor: 4,
  packetBytesMax: 1_344,
  leaveToldMax: 64,
  leaveLingerMs: 150,
  syncIntervalMs: 10_000,
  rejoinIntervalMs: 1_000,
  deadPingMs: 30_000,
  deadPingIntervalMs: 1_000,
  deadKeptMs: 86_400_000,
  localHealthMax: 7,
  stallMs: 40,
};

/** Between regions: answers take up to 200 ms. */
export const wan: MembershipParameters = {
  ...lan,
  probeIntervalMs: 600,
  probeTimeoutMs: 250,
  pulseFreshMs: 500,
  pulseAskMs: 600,
  secondLookMs: 1_200,
  suspicionFloorMs: 2_400,
  gossipIntervalMs: 200,
  gossipFreshMs: 20,
  leaveLingerMs: 800,
};

/** All times multiplied by `factor`; counts and sizes stay. */
export function scaled(parameters: MembershipParameters, factor: number): MembershipParameters {
  const entries = Object.entries(parameters) as [string, number][];
  const changed = entries.map(([key, value]) => [key, key.endsWith('Ms') ? value * factor : value]);
  return Object.fromEntries(changed) as unknown as MembershipParameters;
}
