/** All checkers by the name under which each can be left out; the names of invariants are those of docs/guarantees.md. */
import type { Finding } from '../record.js';
import * as claims from './claims.js';
import * as clocks from './clocks.js';
import * as deletions from './deletions.js';
import * as documents from './documents.js';
import * as forced from './forced.js';
import { lossesAreTold, restartReadsTheLog } from './endings.js';
import type { Checker, Evidence } from './evidence.js';
import * as notifications from './notifications.js';
import { groupsHaveOneMaker } from './groups.js';
import { keysOfNobodyAreGone, namesHaveOneOwner } from './names.js';
import { presenceIsExact } from './presence.js';
import * as publishes from './publishes.js';
import * as readers from './readers.js';
import * as redactions from './redactions.js';
import * as restores from './restores.js';
import * as rot from './rot.js';
import * as settings from './settings.js';
import * as stores from './stores.js';
import * as trims from './trims.js';

export const checkers: Readonly<Record<string, Checker>> = {
  'I1 acked is kept': publishes.ackedIsKept,
  'I4 dots are unique': stores.dotsAreUnique,
  'I6 writers are whole': stores.writersAreWhole,
  'I3 delivered is stored': readers.deliveredIsStored,
  'I5 writers in order': readers.writersInOrder,
  'I8 one order or late': readers.oneOrderOrLate,
  'I15 late is exact': readers.lateIsExact,
  'I15 never late at quorum': readers.neverLateAtQuorum,
  'R4 one owner counts': claims.oneOwnerCounts,
  'I9 claims see acks': claims.claimsSeeAcks,
  'R36 no lonely claim': claims.noLonelyClaim,
  'I10 clocks rise': clocks.clocksRise,
  'I10 clocks are bounded': clocks.clocksAreBounded,
  'I11 restart reads the log': restartReadsTheLog,
  'I11 stores are equal': stores.storesAreEqual,
  'I7 digests are true': stores.digestsAreTrue,
  'I11 every entry is placed': stores.everyEntryIsPlaced,
  'I13 nothing skipped': readers.nothingSkipped,
  'I13 losses are told': lossesAreTold,
  'I13 no needless gap': readers.noNeedlessGap,
  'I14 nothing twice': readers.nothingTwice,
  'I16 retries count once': publishes.retriesCountOnce,
  'I17 publishers in order': publishes.publishersInOrder,
  'I18 own writes are read': readers.ownWritesAreRead,
  'I19 floors are trims': trims.floorsAreTrims,
  'I19 floors are equal': trims.floorsAreEqual,
  'I19 trimmed stays away': trims.trimmedStaysAway,
  'I20 nothing vanishes': rot.nothingVanishes,
  'I20 given up is nowhere': rot.givenUpIsNowhere,
  'I21 rot is not served': rot.rotIsNotServed,
  'I21 damage is everywhere': rot.damageIsEverywhere,
  'I23 acks are honest': publishes.acksAreHonest,
  'I23 outcomes are true': publishes.outcomesAreTrue,
  'I23 rejected is nowhere': publishes.rejectedIsNowhere,
  'R33 deleted is gone': deletions.deletedIsGone,
  'R33 deletions hold': deletions.deletionsHold,
  'E1 redacted is gone': redactions.redactedIsGone,
  'E2 redactions hold': redactions.redactionsHold,
  'E2 nothing else is redacted': redactions.nothingElseIsRedacted,
  'I19 forced trims hold': forced.forcedTrimsHold,
  'I13 forced is told': forced.forcedIsTold,
  'P1 presence is exact': presenceIsExact,
  'F2 documents are equal': documents.documentsAreEqual,
  'F2 documents are what their log comes to': documents.documentsAreFolds,
  'F4 followers have it': documents.followersHaveIt,
  'F3 changes count once': documents.changesCountOnce,
  'F3 authors are told': documents.authorsAreTold,
  'N1 notifications are equal': notifications.notificationsAreEqual,
  'N1 notifications outlive': notifications.notificationsOutlive,
  'N1 notices are kept': notifications.noticesAreKept,
  'N2 unread is told': notifications.unreadIsTold,
  'N4 expired is said': notifications.expiredIsSaid,
  'N5 notifications are what their log comes to': notifications.notificationsAreTheLog,
  'P5 groups have one maker': groupsHaveOneMaker,
  'H1 rights are as known': settings.rightsAreAsKnown,
  'H1 changes go everywhere': settings.changesGoEverywhere,
  'H2 settings are the order': settings.settingsAreTheOrder,
  'H9 names have one owner': namesHaveOneOwner,
  'H11 keys of nobody are gone': keysOfNobodyAreGone,
  'S1 keys count once': restores.keysCountOnce,
  'S2 what was kept comes back': restores.whatWasKeptComesBack,
  'S3 kept sessions come back': restores.keptSessionsComeBack,
  'I25 bounded queues': function* ({ bufferedMost }) {
    if (bufferedMost > queueBytesMax) yield `${bufferedMost} bytes waited in one connection`;
  },
};

/** Twice what a session may queue: what was handed over before it was behind is still there. */
const queueBytesMax = 2 * 4_194_304;

export function check(evidence: Evidence, off: ReadonlySet<string> = new Set()): Finding[] {
  const findings = evidence.record.findings.filter(({ checker }) => !off.has(checker));
  for (const [checker, run] of Object.entries(checkers)) {
    if (off.has(checker)) continue;
    for (const what of run(evidence)) findings.push({ checker, what });
  }
  return findings;
}
