/** Bugs that can be planted in the engine, the store and the core: how many seeds of a whole cluster it takes to find each,
 *  and which checker sees it. */
import type { PlantedBug } from '../../src/base/planted.js';
import { plant } from '../replication/planting.js';
import type { Finding } from './record.js';
import { runPlan } from './run-seed.js';
import { stories, tellStory } from './scenarios/index.js';
import { type Steering, steeredPlan } from './steering.js';

export interface ClusterBug {
  readonly bug: PlantedBug;
  /** What it would do to a user. */
  readonly what: string;
  readonly steering: Steering;
  /** What shows it: a first guess, the search goes on from seed 1 where it no longer does. */
  readonly seed?: number;
  readonly story?: string;
}

const failovers = { kill: 5, stop: 3, cut: 4 };

const ringChanges: Steering = {
  spares: 2,
  lengthMs: 15_000,
  faults: { ring: 6, isolate: 4, split: 3, cut: 3 },
  publishers: { levels: ['quorum'], degrade: false },
};

export const clusterBugs: readonly ClusterBug[] = [
  {
    bug: 'digest-skips',
    what: 'a digest misses some of the records',
    seed: 1,
    steering: { faults: { kill: 2 } },
  },
  {
    bug: 'digest-cancels',
    what: 'a digest is an exclusive or',
    seed: 1,
    steering: { faults: { kill: 2 } },
  },
  {
    bug: 'keys-in-memory',
    what: 'a new owner does not look up the keys of the one before',
    seed: 9,
    steering: { faults: { ...failovers, 'power-loss': 4 }, publishers: { burstMax: 10, timeoutMs: 20_000 } },
  },
  {
    bug: 'keys-of-one-owner',
    what: 'an owner that comes back knows no keys of the one between',
    story: 'A repeat at an owner that came back',
    steering: { faults: { tail: 2, cut: 8 }, publishers: { burstMax: 10, timeoutMs: 20_000 } },
  },
  {
    bug: 'cursor-reset',
    what: 'a cursor ahead of its replica goes on at the end',
    seed: 3,
    steering: { faults: { isolate: 5, split: 3, cut: 3 }, readers: { handOversPerMinute: 40 } },
  },
  {
    bug: 'own-writes-unheld',
    what: 'a page is read from a log that lacks what its reader wrote',
    steering: { faults: { isolate: 6, clog: 4 } },
  },
  {
    bug: 'live-before-end',
    what: 'a reader is live before it has read all of the log',
    steering: {
      faults: { ...failovers, isolate: 3 },
      readers: { handOversPerMinute: 40, start: 'beginning' },
    },
  },
  {
    bug: 'slow-reader-skips',
    what: 'what does not fit the queue of a slow reader is left out',
    steering: {
      nodes: 1,
      faults: { clog: 10, pause: 0 },
      publishers: { payloadBytesMax: 60_000, burstMax: 60, perSecond: 2 },
    },
  },
  {
    bug: 'late-unmarked',
    what: 'what comes behind its place is not marked late',
    seed: 3,
    steering: { faults: { isolate: 4, tail: 2 }, publishers: { degrade: true } },
  },
  {
    bug: 'gap-untold',
    what: 'a reader is not told what no home has any more',
    story: 'A lost tail',
    steering: {
      faults: { 'lost-disk': 3, isolate: 6, clog: 5 },
      publishers: { levels: ['owner'] },
      readers: { handOversPerMinute: 10 },
    },
  },
  {
    bug: 'floors-untold',
    what: 'homes do not tell each other what is trimmed',
    story: 'D5 zombie',
    steering: { faults: { isolate: 5 } },
  },
  {
    bug: 'floors-in-memory',
    what: 'floors are raised and not written down',
    story: 'D5 zombie',
    steering: { faults: { isolate: 5, kill: 5 } },
  },
  {
    bug: 'forced-untold',
    what: 'what an operator forced out is told as what retention removed',
    seed: 1,
    steering: {
      spares: 1,
      faults: { force: 6, ring: 3, isolate: 3, cut: 4 },
      readers: { handOversPerMinute: 20 },
    },
  },
  {
    bug: 'trim-by-own-clock',
    what: 'a home trims what is old without a trim',
    story: 'D5 zombie',
    steering: { faults: { isolate: 5 } },
  },
  {
    bug: 'delivered-at-sync',
    what: 'readers get what is on one disk of a quorum channel',
    steering: { faults: { isolate: 4, kill: 3 }, publishers: { degrade: false, levels: ['quorum'] } },
  },
  {
    bug: 'sync-left-out',
    what: 'the store answers before its disk has the commit',
    steering: { faults: { 'power-loss': 5 } },
  },
  {
    bug: 'writer-of-the-disk',
    what: 'a start goes on under the writer of the one before',
    story: 'D1 seq reuse',
    steering: { faults: { 'power-loss': 10, blackout: 2 }, publishers: { burstMax: 10 } },
  },
  {
    bug: 'clock-bound-lost',
    what: 'a start does not know how far the clock was',
    seed: 2,
    steering: { nodes: 1, faults: { kill: 8, 'clock-step': 8 } },
  },
  {
    bug: 'clock-follows-all',
    what: 'one clock that is hours ahead takes all others with it',
    steering: { faults: { kill: 6, 'clock-step': 6 } },
  },
  {
    bug: 'asked-is-reached',
    what: 'an ack says the level that was asked for',
    seed: 1,
    steering: { faults: { isolate: 4 }, publishers: { degrade: true } },
  },
  {
    bug: 'repeat-at-once',
    what: 'a repeat is acknowledged before the first is',
    seed: 2,
    steering: {
      faults: { cut: 40, isolate: 6 },
      publishers: { burstMax: 10, perSecond: 10, levels: ['quorum'], degrade: false, timeoutMs: 20_000 },
    },
  },
  {
    bug: 'here-overtakes',
    what: 'what comes after an owner changed overtakes what is under way to the old one',
    seed: 1,
    steering: {
      faults: { kill: 6, stop: 4, isolate: 4 },
      plain: { perSecond: 30, burstMax: 3, hasKeys: true },
    },
  },
  {
    bug: 'rest-goes-first',
    what: 'what waits behind a commit goes to the next owner before what was in it',
    story: 'An orderly return',
    steering: {
      faults: { tail: 3, duel: 2, isolate: 3, 'one-way': 3 },
      plain: { perSecond: 60, burstMax: 3, hasKeys: true },
    },
  },
  {
    bug: 'keyless-again',
    what: 'a publish without a key goes to another owner though one may have written it',
    seed: 7,
    steering: {
      faults: { ...failovers, isolate: 4, clog: 4 },
      plain: { perSecond: 6, burstMax: 30, hasKeys: false },
    },
  },
  {
    bug: 'doubt-forgotten',
    what: 'what one owner may have written is said to be refused by the next',
    seed: 14,
    steering: {
      faults: { isolate: 5, 'one-way': 4, split: 4, 'full-disk': 3 },
      publishers: { degrade: false, levels: ['quorum'], timeoutMs: 2_000 },
    },
  },
  {
    bug: 'follow-uncovered',
    what: 'readers at a node without the log go on at a home that lacks what they had',
    seed: 20,
    steering: {
      nodes: 5,
      faults: { kill: 3, isolate: 6, split: 4 },
      publishers: { degrade: true },
    },
  },
  {
    bug: 'claim-without-pull',
    what: 'a new owner stamps before it heard what homes hold',
    seed: 10,
    steering: { faults: { tail: 3, duel: 2, kill: 3 } },
  },
  {
    bug: 'stale-fence',
    what: 'a home acks under a claim that a higher one has fenced',
    seed: 10,
    steering: { faults: { tail: 3, duel: 3, 'one-way': 4, clog: 4 } },
  },
  {
    bug: 'lonely-claim',
    what: 'a claim needs one home less',
    seed: 3,
    steering: { faults: { isolate: 4, split: 3, kill: 3 } },
  },
  {
    bug: 'forgotten-promise',
    what: 'a restart forgets what was promised',
    seed: 8,
    steering: { faults: { duel: 3, tail: 2, 'power-loss': 6 } },
  },
  {
    bug: 'recovering-acks',
    what: 'a home that lost its disk acks and grants',
    seed: 3,
    steering: { faults: { duel: 3, 'lost-disk': 2, tail: 2 } },
  },
  {
    bug: 'joint-skipped',
    what: 'a change of the ring ends before the homes that come in have anything',
    story: 'Replaced while it is written to',
    steering: ringChanges,
  },
  {
    bug: 'incoming-counts',
    what: 'a home that comes in counts before it was given anything',
    story: 'Replaced while it is written to',
    steering: ringChanges,
  },
  {
    bug: 'one-ring-appends',
    what: 'while two rings decide, the homes of before commit alone',
    story: 'Written between two rings',
    steering: ringChanges,
  },
  {
    bug: 'twin-unnoticed',
    what: 'two processes with copies of one store go on',
    story: 'D7 twice',
    steering: { faults: { kill: 5, isolate: 2 } },
  },
  {
    bug: 'damage-served',
    what: 'a record that does not fit its checksum is handed out, to readers and to other homes',
    story: 'D10 bit rot: an entry',
    steering: { faults: { rot: 12, kill: 2 } },
  },
  {
    bug: 'ghosts-stay',
    what: 'who was connected to a process that ended is there for ever',
    story: 'D16 ghost',
    steering: { nodes: 4, faults: { kill: 5, isolate: 2 }, presences: 4 },
  },
  {
    bug: 'ahead-kept',
    what: 'a document goes on with what the order turned out not to have',
    seed: 3,
    steering: { faults: { duel: 4, split: 6, isolate: 4 }, documents: 3 },
  },
  {
    bug: 'voids-untold',
    what: 'who changed a document is not told that a change that took effect is void in the end',
    story: 'A change that is void in the end',
    steering: { faults: { isolate: 6, split: 4 } },
  },
  {
    bug: 'voids-told-twice',
    what: 'who changed a document is told twice that a change is void in the end',
    story: 'A change that is void in the end',
    steering: { faults: { isolate: 6, split: 4 } },
  },
  {
    bug: 'voids-counted-twice',
    what: 'every node counts what is void in a document twice',
    story: 'A change that is void in the end',
    steering: { faults: { isolate: 6, split: 4 } },
  },
  {
    bug: 'read-unseen',
    what: 'what another side of a partition was told meanwhile is marked as read',
    story: 'Read beside others',
    steering: { faults: { split: 6, isolate: 4 }, notifications: 4 },
  },
  {
    bug: 'expiry-unwritten',
    what: 'nobody writes that a notification has expired',
    seed: 1,
    steering: { faults: { kill: 2, isolate: 2 }, notifications: 4 },
  },
  {
    bug: 'rebase-untold',
    what: 'readers of a document are not told that its order is another one',
    seed: 3,
    steering: { faults: { duel: 4, split: 6, isolate: 4 }, documents: 3 },
  },
  {
    bug: 'groups-by-look',
    what: 'who makes a group is told so by what was there before it was ordered',
    seed: 1,
    steering: { faults: { kill: 2, isolate: 2 }, groups: 4 },
  },
  {
    bug: 'names-by-look',
    what: 'who registers a name is told so by what was there before it was ordered',
    seed: 1,
    steering: { faults: { kill: 2, isolate: 2 }, registrations: 4 },
  },
  {
    bug: 'keys-stay',
    what: 'the key of somebody who is gone is not written over',
    seed: 1,
    steering: { faults: { kill: 2, isolate: 2 }, registrations: 4 },
  },
  {
    bug: 'rights-outlive',
    what: 'who reads on after the rules changed is not looked at anew',
    seed: 1,
    steering: { faults: { kill: 2, isolate: 2 }, gates: 3 },
  },
  {
    bug: 'restored-twice',
    what: 'a key that was used restores the session again',
    seed: 1,
    steering: { nodes: 4, faults: { kill: 2, isolate: 2 }, restores: 2 },
  },
  {
    bug: 'gap-by-majority',
    what: 'an entry is given up before all homes were asked',
    story: 'Rot while the one that has it is away',
    steering: { faults: { rot: 12, isolate: 5 } },
  },
  {
    bug: 'deleted-comes-back',
    what: 'a home forgets that a channel was deleted, and takes in what was written beside that',
    seed: 1,
    steering: {
      lengthMs: 12_000,
      faults: { delete: 5, isolate: 4, split: 3, kill: 2, cut: 3 },
      publishers: { degrade: true },
    },
  },
  {
    bug: 'redacted-kept',
    what: 'what is redacted is shown to nobody, and stays on the disk',
    seed: 1,
    steering: { faults: { redact: 8, kill: 2, isolate: 2 } },
  },
];

export interface Finder {
  /** A seed, or the name of a story. */
  readonly by: string;
  readonly checker: string;
  /** Seeds tried. */
  readonly tried: number;
  /** What sees it then once that checker is left out; `none`: only that one did. */
  readonly without: string;
}

/** Tries the story and the seed known to show it, then seeds from 1 on, then all stories. */
export async function findClusterBug(bug: ClusterBug, seedsMax: number): Promise<Finder | undefined> {
  const tries: (() => Promise<Omit<Finder, 'tried'> | undefined>)[] = [];
  const { story, seed } = bug;
  if (story !== undefined) tries.push(() => tellBug(bug, story));
  if (seed !== undefined) tries.push(() => tryBug(bug, seed));
  for (let next = 1; next <= seedsMax; next++) tries.push(() => tryBug(bug, next));
  if (seedsMax > 0) for (const name of stories.keys()) tries.push(() => tellBug(bug, name));
  for (const [i, attempt] of tries.entries()) {
    const found = await attempt();
    if (found) return { ...found, tried: i + 1 };
  }
  return undefined;
}

async function tellBug({ bug }: ClusterBug, story: string): Promise<Omit<Finder, 'tried'> | undefined> {
  const [checker] = namesOf(await tellStory(story, bug));
  if (checker === undefined) return undefined;
  const others = namesOf(await tellStory(story, bug, new Set([checker])));
  return { by: story, checker, without: toldWithout(checker, others) };
}

/** An assertion of the product ends the run before any checker looks. */
function toldWithout(checker: string, others: readonly string[]): string {
  return checker === 'crash' ? 'the run ends there' : others.join(', ') || 'none';
}

function namesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ checker }) => checker))];
}

async function tryBug(
  { bug, steering }: ClusterBug,
  seed: number,
): Promise<Omit<Finder, 'tried'> | undefined> {
  const plan = steeredPlan(seed, steering);
  const seen = async (planted: PlantedBug | undefined, off: readonly string[]): Promise<string[]> => {
    plant(planted);
    try {
      const { findings } = await runPlan(plan, { checkersOff: new Set(off) });
      return namesOf(findings);
    } finally {
      plant(undefined);
    }
  };
  const found = await seen(bug, []);
  const [checker] = found;
  // What is found without the bug too is not found because of it.
  if (checker === undefined || (await seen(undefined, [])).length > 0) return undefined;
  const others = await seen(bug, [checker]);
  if (others.includes(checker)) throw new Error(`${checker} cannot be left out`);
  return { by: `seed ${seed}`, checker, without: toldWithout(checker, others) };
}

/** Tells a table line by line as it grows; resolves with whether each was found. */
export async function clusterBugLines(seedsMax: number, tell: (line: string) => void): Promise<boolean> {
  let isEachFound = true;
  tell('| planted | first seen by | in | tried | with that one off seen by |');
  tell('|---|---|---|---|---|');
  for (const bug of clusterBugs) {
    const found = await findClusterBug(bug, seedsMax);
    isEachFound &&= found !== undefined;
    const seen = found ? `${found.checker} | ${found.by} | ${found.tried} | ${found.without}` : 'none | | | ';
    tell(`| ${bug.bug}: ${bug.what} | ${seen} |`);
  }
  return isEachFound;
}
