/** Verification of a cluster from the first page to the last: for the command, and for tools that judge a cluster. */
import { setTimeout as pause } from 'node:timers/promises';

export interface DifferenceJson {
  readonly hub: string;
  readonly channel: string;
  readonly interval: string;
  readonly kind: string;
  readonly homes: readonly string[];
  readonly at?: string;
}

/** What `POST /v1/admin/cluster/verify` answers. */
export interface VerifyPageJson {
  readonly equal: boolean;
  readonly channels: number;
  readonly entries: number;
  readonly homes: readonly { readonly node: string; readonly state: string }[];
  readonly differences: readonly DifferenceJson[];
  readonly more: number;
  readonly repaired: number;
  readonly done: number;
  readonly next?: string;
}

/** Of all pages together. */
export interface VerifyJson {
  readonly equal: boolean;
  readonly channels: number;
  readonly entries: number;
  readonly homes: VerifyPageJson['homes'];
  readonly differences: readonly DifferenceJson[];
  readonly more: number;
  readonly repaired: number;
}

/** Differences kept of all pages; further ones are counted. */
export const differencesMax = 10_000;
/** A page that comes again at once had no time, or the ring was changing. */
const againMs = 500;
/** From the best to what a home is said to be that was several. */
const ranks = ['equal', 'differs', 'late', 'interrupted', 'unreachable'];

interface VerifyAll {
  page(after: string | undefined): Promise<VerifyPageJson>;
  readonly after: string | undefined;
  progress?(done: number): void;
}

/** All pages to the end of the ring. */
export async function verifyAll(asked: VerifyAll): Promise<VerifyJson> {
  const homes = new Map<string, string>();
  const differences: DifferenceJson[] = [];
  const total = { equal: true, channels: 0, entries: 0, more: 0, repaired: 0 };
  let done = -1;
  for (let place = asked.after; ;) {
    const found = await asked.page(place);
    total.equal &&= found.equal;
    for (const of of ['channels', 'entries', 'more', 'repaired'] as const) total[of] += found[of];
    for (const { node, state } of found.homes) {
      const known = homes.get(node) ?? 'equal';
      homes.set(node, ranks.indexOf(state) > ranks.indexOf(known) ? state : known);
    }
    for (const difference of found.differences) {
      if (differences.length < differencesMax) differences.push(difference);
      else total.more++;
    }
    asked.progress?.(found.done);
    if (found.next === undefined) break;
    if (found.done === done) await pause(againMs);
    done = found.done;
    place = found.next;
  }
  const sorted = [...homes].map(([node, state]) => ({ node, state }));
  sorted.sort((a, b) => (a.node < b.node ? -1 : 1));
  return { ...total, homes: sorted, differences };
}
