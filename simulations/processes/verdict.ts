/** What real nodes did, judged by the checkers of the simulated cluster: from the frames that came over the wire and from the
 *  files of the stopped stores. What only a simulated disk shows, when what was synced, is left out. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '../cluster/checkers/index.js';
import { type ChannelOrder, orderOf } from '../cluster/checkers/channel-order.js';
import type { Evidence } from '../cluster/checkers/evidence.js';
import { type StoreLog, dotText, readStoreLog } from '../cluster/checkers/store-log.js';
import type { ClusterRecord, Finding } from '../cluster/record.js';
import type { VerifyJson } from '../../src/cli/verify-pages.js';

export interface StoppedNode {
  readonly name: string;
  /** `store/segments` of its data directory. */
  readonly segmentsPath: string;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly published: number;
  readonly acked: number;
  /** Acknowledged, and missing in a store. */
  readonly lost: number;
  /** One entry that came to one reader twice, or one publish that stands twice where its owners knew of each other. */
  readonly doubled: number;
  /** Publishes that two owners wrote before they knew of each other: their key makes them one for every client. */
  readonly twins: number;
  /** The nodes proved, before they were stopped, that all of them hold the same. */
  readonly isVerified: boolean;
  /** Of all stores together. */
  readonly entries: number;
}

const simulatedOnly: ReadonlySet<string> = new Set([
  'I23 acks are honest',
  'I9 claims see acks',
  'R4 one owner counts',
  'R36 no lonely claim',
  'I10 clocks rise',
  'I10 clocks are bounded',
  // Below, for what comes over the wire: of twins an SDK shows one.
  'I14 nothing twice',
]);

/** All nodes hold all channels. `proof`: what they said of themselves at the end, undefined where that did not come about. */
export function judge(
  record: ClusterRecord,
  nodes: readonly StoppedNode[],
  proof: VerifyJson | undefined,
): Verdict {
  const findings: Finding[] = [...unproven(proof)];
  const conflict = (what: string): void => void findings.push({ checker: 'I4 one content', what });
  const stores = nodes.map(({ name, segmentsPath }) =>
    readStoreLog(name, filesIn(segmentsPath), conflict, { isAlone: false }),
  );
  const orders = ordersOf(stores);
  findings.push(...check(evidenceOf(record, stores, orders), simulatedOnly));
  findings.push(...contentsOf(stores), ...nothingTwice(record));
  const count = (...names: readonly string[]) =>
    findings.filter(({ checker }) => names.includes(checker)).length;
  return {
    findings,
    published: record.publishes.length,
    acked: record.publishes.filter(({ outcome }) => outcome === 'acked').length,
    lost: count('I1 acked is kept', 'I13 nothing skipped'),
    doubled: count('I14 nothing twice', 'I16 retries count once'),
    twins: twinsIn(orders),
    isVerified: proof?.equal === true,
    entries: stores.reduce((sum, store) => sum + entriesIn(store), 0),
  };
}

/** I7: what the product says of itself, beside what is found in the files. */
function* unproven(proof: VerifyJson | undefined): Generator<Finding, void, undefined> {
  const checker = 'I7 verify is clean';
  if (!proof) yield { checker, what: 'the nodes were not asked, or did not answer' };
  else if (!proof.equal) {
    const homes = proof.homes.map(({ node, state }) => `${node} ${state}`).join(', ');
    const named = proof.differences.map(({ channel, kind }) => `${channel} ${kind}`).join(', ');
    yield { checker, what: `${homes}; ${named}${proof.more > 0 ? ` and ${proof.more} more` : ''}` };
  }
}

function filesIn(folder: string) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.seg'))
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

function ordersOf(stores: readonly StoreLog[]): Map<string, ChannelOrder> {
  const orders = new Map<string, ChannelOrder>();
  for (const { channels } of stores)
    for (const channel of channels.values())
      if (!orders.has(channel.name)) orders.set(channel.name, orderOf(channel));
  return orders;
}

function evidenceOf(
  record: ClusterRecord,
  stores: readonly StoreLog[],
  orders: ReadonlyMap<string, ChannelOrder>,
): Evidence {
  return {
    record,
    stores,
    digests: new Map(),
    disks: [],
    lastOwn: new Set(),
    homesOf: () => stores,
    isRingChanging: true,
    isTrimming: false,
    orders,
    raised: [],
    again: [],
    everAt: () => undefined,
    strict: new Set(orders.keys()),
    wallStartMs: 0,
    bufferedMost: 0,
  };
}

/** I4: one dot has one content in all stores. */
function* contentsOf(stores: readonly StoreLog[]): Generator<Finding, void, undefined> {
  const sums = new Map<string, number>();
  for (const { node, channels } of stores)
    for (const { name, writers } of channels.values())
      for (const entry of [...writers.values()].flat()) {
        const dot = `${dotText(entry)} of ${name}`;
        const known = sums.get(dot);
        sums.set(dot, entry.sum);
        if (known !== undefined && known !== entry.sum)
          yield { checker: 'I4 dots are unique', what: `${dot} is another on ${node}` };
      }
}

/** I14: no entry comes to one reader twice. */
function* nothingTwice({ readers }: ClusterRecord): Generator<Finding, void, undefined> {
  for (const { name, channel, events } of readers) {
    const dots = new Set<string>();
    for (const event of events) {
      if (event.type !== 'entry') continue;
      const dot = dotText(event.dot);
      if (dots.has(dot))
        yield { checker: 'I14 nothing twice', what: `${name} in ${channel} got ${dot} twice` };
      dots.add(dot);
    }
  }
}

function twinsIn(orders: ReadonlyMap<string, ChannelOrder>): number {
  let twins = 0;
  for (const { entries } of orders.values()) {
    const lines = entries.flatMap(({ line }) => (line > 0 ? [line] : []));
    twins += lines.length - new Set(lines).size;
  }
  return twins;
}

function entriesIn({ channels }: StoreLog): number {
  return [...channels.values()].flatMap(({ writers }) => [...writers.values()]).flat().length;
}
