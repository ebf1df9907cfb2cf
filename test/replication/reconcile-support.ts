/** Two homes that compare what they hold, without a network: what one says the other gets, or not. */
import { createHash } from 'node:crypto';
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { channelPosition } from '../../src/cluster/ring-position.js';
import { type ItemTable, ItemTableBuilder, itemOf } from '../../src/replication/reconcile-items.js';
import {
  type Purpose,
  type Reconcile,
  type Reconciled,
  type RingRange,
  ringEnd,
  ringStart,
} from '../../src/replication/reconcile-messages.js';
import { type Finding, compareRanges } from '../../src/replication/reconcile-ranges.js';
import { ReconcileSession } from '../../src/replication/reconcile-session.js';
import { encodeFrame } from '../../src/replication/wire-encoder.js';

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(bytes).digest());

const writer = '0a'.repeat(12) as WriterId;
export const wholeRing: readonly RingRange[] = [{ from: ringStart, to: ringEnd }];

/** Channel name → [newest seq, content]; content 'damaged' cannot be read. */
export type Store = ReadonlyMap<string, readonly [seq: number, content: string]>;

export const refOf = (channel: string): ChannelRef => ({
  hub: 'h' as HubName,
  channel: channel as ChannelName,
});

export function tableOf(store: Store, salt: string): ItemTable {
  const builder = new ItemTableBuilder(sha256);
  for (const [channel, [seq, content]] of store) {
    const ref = refOf(channel);
    const row = itemOf(
      sha256,
      {
        ref,
        digest: sha256(new TextEncoder().encode(`${seq} ${content}`)),
        through: new Map([[writer, seq]]),
        floors: new Map(),
        isDamaged: content === 'damaged',
      },
      new TextEncoder().encode(salt),
    );
    builder.add(ref, channelPosition(ref), row);
  }
  const building = builder.build();
  for (;;) {
    const { done, value } = building.next();
    if (done) return value;
  }
}

export interface Outcome {
  readonly session: ReconcileSession;
  /** Sorted `channel difference`, as each side sees it. */
  readonly here: readonly string[];
  readonly there: readonly string[];
  readonly bytes: number;
  readonly questions: number;
}

const storeId = '00'.repeat(16) as never;
const bytesOf = (message: Reconcile | Reconciled): number =>
  encodeFrame({ storeId, ringVersion: 1, messages: [message] }).length;

export const textOf = (findings: readonly Finding[]): string[] =>
  findings.map(({ ref, difference }) => `${ref.channel} ${difference}`).sort();

/** Until the session ends. `answer`: what the other home makes of a question. */
export function talk(
  session: ReconcileSession,
  answer: (question: Reconcile) => Reconciled | undefined,
  millisecondsMax = 10_000_000,
): { readonly findings: Finding[]; readonly bytes: number; readonly questions: number } {
  const findings: Finding[] = [];
  let [bytes, questions, now] = [0, 0, 0];
  while (session.state === 'going' && now < millisecondsMax) {
    const due = session.questions(now);
    for (const question of due) {
      questions++;
      bytes += bytesOf(question);
      const answered = answer(question);
      if (!answered) continue;
      bytes += bytesOf(answered);
      findings.push(...session.answered(answered, now));
    }
    if (due.length === 0) now = Math.max(now + 1, Math.min(session.deadline, millisecondsMax));
  }
  return { findings, bytes, questions };
}

export function honest(table: ItemTable, found: Finding[]): (question: Reconcile) => Reconciled {
  return ({ session, number, ranges, purpose }) => {
    const compared = compareRanges(table, ranges, purpose, 'answers');
    found.push(...compared.findings);
    const { more } = compared;
    return { type: 'reconciled', session, number, isBusy: false, ranges: compared.ranges, more, arrival: 0 };
  };
}

export function compare(a: Store, b: Store, purpose: Purpose = 'mend', arcs = wholeRing): Outcome {
  const session = new ReconcileSession({ session: 7, purpose, table: tableOf(a, 'a'), arcs });
  const there: Finding[] = [];
  const { findings, bytes, questions } = talk(session, honest(tableOf(b, 'b'), there));
  return { session, here: textOf(findings), there: textOf(there), bytes, questions };
}
