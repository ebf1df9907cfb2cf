/** All stories by name. */
import type { PlantedBug } from '../../../src/base/planted.js';
import { plant } from '../../replication/planting.js';
import type { Finding } from '../record.js';
import {
  churn,
  hole,
  lostTail,
  orderlyReturn,
  repeatAtReturned,
  retryElsewhere,
  seqReuse,
  sleepingOwner,
} from './owners.js';
import { emptyTwin, rolledBack, twice } from './returns.js';
import {
  fullDisk,
  rottenAlone,
  rottenBeneath,
  rottenWhileAway,
  rottenEntry,
  rottenIdentity,
  rottenIndex,
  rottenWhileDown,
} from './disks.js';
import { lostChange, lostUnheard, rottenChange, voidInTheEnd } from './documents.js';
import { readBesideOthers } from './notifications.js';
import { ahead, lightsOut, sixHoursAhead } from './starts.js';
import { cutOffGateway, ghost } from './presence.js';
import { forcedOnFullDisks, forcedOut, zombie } from './trims.js';
import { replacedWhileWritten, viewSplit, writtenBetweenRings } from './rings.js';
import { Story, type StoryOptions, type Told } from './story.js';

interface Entry {
  readonly told: Told;
  readonly options?: StoryOptions;
}

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
  [0, 1],
  [1, 2],
  [2, 0],
];

export const stories: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ['D1 seq reuse', { told: seqReuse }],
  ['D2 hole', { told: hole }],
  ['D3 sleeping owner', { told: sleepingOwner }],
  ['D4 retry elsewhere', { told: retryElsewhere }],
  [
    'D5 zombie',
    { told: zombie, options: { isStrict: false, retention: { maxCount: 10 }, trimGraceMs: 5_000 } },
  ],
  ['D8 six hours ahead', { told: sixHoursAhead, options: { isStrict: false } }],
  ['D9 full disk', { told: fullDisk, options: { isStrict: false } }],
  ['D9 full disks, and a trim that is forced', { told: forcedOnFullDisks }],
  ['Forced out', { told: forcedOut }],
  ['D10 bit rot: an entry', { told: rottenEntry }],
  ['D10 bit rot: entries, found at start', { told: rottenWhileDown }],
  ['D10 bit rot: the index', { told: rottenIndex }],
  ['D10 bit rot: store.json', { told: rottenIdentity }],
  ['Rot of what one home has', { told: rottenAlone, options: { isStrict: false } }],
  ['Rot beneath what one home has', { told: rottenBeneath, options: { isStrict: false } }],
  ['Rot while the one that has it is away', { told: rottenWhileAway, options: { isStrict: false } }],
  ...orders.flatMap((order) =>
    [100, 4_000].map((gapMs): [string, Entry] => [
      `D11 lights out: ${order.map((at) => `n${at + 1}`).join(', ')}, ${gapMs} ms apart`,
      { told: (story) => lightsOut(story, order, gapMs) },
    ]),
  ),
  ['A lost tail', { told: lostTail, options: { isStrict: false } }],
  ['A lost change of a document', { told: lostChange, options: { isStrict: false } }],
  ['A change that is void in the end', { told: voidInTheEnd, options: { isStrict: false } }],
  ['A lost change that was never shown', { told: lostUnheard, options: { isStrict: false } }],
  [
    'A lost change that was never shown: long after the start',
    { told: (story) => lostUnheard(story, 3_500), options: { isStrict: false } },
  ],
  ...(['listening', 'restarted', 'away'] as const).map((reader): [string, Entry] => [
    `A rotten change of a document: ${reader}`,
    { told: (story) => rottenChange(story, reader), options: { isStrict: false } },
  ]),
  ['Read beside others', { told: readBesideOthers, options: { isStrict: false } }],
  ['A repeat at an owner that came back', { told: repeatAtReturned, options: { isStrict: false } }],
  ['An orderly return', { told: orderlyReturn, options: { isStrict: false } }],
  [
    'Replaced while it is written to',
    { told: replacedWhileWritten, options: { nodes: 1, spares: 1, replicas: 1, isStrict: false } },
  ],
  [
    'Written between two rings',
    { told: writtenBetweenRings, options: { nodes: 2, spares: 1, replicas: 2, isStrict: false } },
  ],
  ['D13 churn', { told: (story) => churn(story) }],
  ['D14 ahead', { told: ahead }],
  ['D15 view split', { told: viewSplit, options: { nodes: 5, spares: 1, virtualNodes: 4 } }],
  ['D6 empty twin', { told: emptyTwin }],
  ['D7 rollback', { told: rolledBack }],
  ['D7 twice', { told: twice }],
  ['D16 ghost', { told: ghost, options: { nodes: 4 } }],
  ['A gateway cut off', { told: cutOffGateway, options: { nodes: 4 } }],
]);

/** What does not hold when the story is told, with a bug planted or without. */
export async function tellStory(
  name: string,
  planted?: PlantedBug,
  off?: ReadonlySet<string>,
): Promise<Finding[]> {
  const { told, options } = stories.get(name)!;
  plant(planted);
  try {
    return await Story.findings(told, options, off);
  } finally {
    plant(undefined);
  }
}
