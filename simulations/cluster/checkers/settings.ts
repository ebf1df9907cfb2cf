/** A hub whose settings change while it is used. */
import type { SeenSettingChange, SeenSettingEntry, SettingsRecord } from '../settings-record.js';
import type { Checker } from './evidence.js';
import { rightsIn, statesOf, textOf } from './settings-twin.js';

/** H2: every node has the settings that the order of the log gives, whatever left memory or was stopped; what was acknowledged is
 *  in the log, and what was refused is not. */
export const settingsAreTheOrder: Checker = function* ({ record: { settings } }) {
  for (const { when, asked, documents, logs } of settings.looks) {
    if (when === 'a second later') continue;
    const [log] = logs.values();
    if (!log) {
      if (settings.changes.some(({ outcome }) => outcome === 'acked'))
        yield `no node reads its log of settings ${when}`;
      continue;
    }
    for (const [node, other] of logs)
      if (JSON.stringify(other) !== JSON.stringify(log)) yield `${node} has another log of settings ${when}`;
    const expected = textOf(statesOf(log).at(-1)!);
    for (const [node, document] of documents)
      if (document !== expected)
        yield `${node} goes by [${document}] ${when}, and by the log it is [${expected}]`;
    yield* outcomesIn(settings.changes.slice(0, asked), log, when);
  }
};

function* outcomesIn(
  changes: readonly SeenSettingChange[],
  log: readonly SeenSettingEntry[],
  when: string,
): Generator<string> {
  const ids = new Set(log.map(({ id }) => id));
  for (const { id, outcome, life } of changes) {
    const what = `change ${id}, which ${life} ${outcome === 'rejected' ? 'refused' : 'took'},`;
    if ((outcome === 'acked' || outcome === 'void') && !ids.has(id))
      yield `${what} is not in the log ${when}`;
    if (outcome === 'rejected' && ids.has(id)) yield `${what} is in the log`;
  }
  for (const id of ids) if (!changes[id - 1]) yield `the log has a change ${id}, which nobody made`;
}

/** H1: a second after a change was answered it goes at every node, once nothing goes wrong any more; or one behind it, whose
 *  outcome nobody knew. */
export const changesGoEverywhere: Checker = function* ({ record: { settings } }) {
  for (const { when, asked, documents, logs } of settings.looks) {
    if (when !== 'a second later') continue;
    const [log = []] = logs.values();
    const states = statesOf(log).map(textOf);
    const at = log.findIndex(({ id }) => id === asked);
    const expected = new Set(at < 0 ? states.slice(-1) : states.slice(at + 1));
    for (const [node, document] of documents)
      if (!expected.has(document)) yield `a second later ${node} still goes by [${document}]`;
  }
};

/** H1: what a node let anybody do, or did not, is what some settings say that it may have gone by then: none older than it had
 *  said itself, and none that were asked for later. Who lost a right was told, and got no more. */
export const rightsAreAsKnown: Checker = function* ({ record: { settings } }) {
  yield* settings.uncut;
  const log = [...(settings.looks.at(-1)?.logs.values() ?? [])][0];
  if (!log) return;
  const rights = statesOf(log).map((lines) => rightsIn(lines));
  const known = yield* knownIn(settings, log);
  for (const { who, life, right, what, isAllowed, sentAt, at } of settings.uses) {
    const from = known.get(life)?.findLast((each) => each.at < sentAt)?.from ?? 0;
    const to = log.findLastIndex(({ id }) => (settings.changes[id - 1]?.sentAt ?? 0) < at) + 1;
    if (rights.slice(from, to + 1).some((each) => each[right] === isAllowed)) continue;
    yield `${life} ${isAllowed ? 'lets' : 'does not let'} ${who} ${what}, against settings ${from} to ${to} of the log`;
  }
};

interface Known {
  readonly at: number;
  /** Entries of the log that are in it at least. */
  readonly from: number;
}

/** By process. It never goes back. */
function* knownIn(
  { knowledge }: SettingsRecord,
  log: readonly SeenSettingEntry[],
): Generator<string, ReadonlyMap<string, readonly Known[]>> {
  const texts = statesOf(log).map((lines) => textOf(lines));
  const known = new Map<string, Known[]>();
  for (const { life, at, change, document } of knowledge) {
    let own = known.get(life);
    if (!own) known.set(life, (own = []));
    const before = own.at(-1)?.from ?? 0;
    const from =
      change === undefined
        ? texts.findIndex((text, i) => i >= before && text === document)
        : Math.max(before, log.findIndex(({ id }) => id === change) + 1);
    if (from >= 0) own.push({ at, from });
    else yield `${life} goes by [${document}], which is older than what it went by, or no state of the log`;
  }
  return known;
}
