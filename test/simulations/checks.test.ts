/** The checks themselves: each fault they are there for, planted once. A check that cannot fail proves nothing. */
import { describe, expect, test } from 'vitest';
import { Ledger, lineOf } from '../../simulations/checkers/ledger.js';
import { compareOrder } from '../../simulations/checkers/order.js';
import { ReaderCheck } from '../../simulations/checkers/reader-check.js';
import type { LogRecord } from '../../simulations/checkers/record.js';
import { SequenceLog } from '../../simulations/checkers/sequence-log.js';
import { StoreCheck } from '../../simulations/checkers/store-check.js';
import { type ViolationKind, Violations, violationKinds } from '../../simulations/checkers/violations.js';

const channel = 'irc:ubuntu';
const writer = 'aaaaaaaaaaaaaaaaaaaaaaaa';
const later = 'bbbbbbbbbbbbbbbbbbbbbbbb';

const payloadOf = (line: number) => Buffer.from(`{"line":${line},"text":"said"}`);

/** So many lines of one nick, published; acknowledged as 1, 2, 3 … of the writer where `acked`. */
function ledgerOf(lines: number, acked = lines): Ledger {
  const ledger = new Ledger();
  for (let i = 1; i <= lines; i++) ledger.sent(ledger.publish(channel, 'nick'), payloadOf(i));
  for (let i = 1; i <= acked; i++) ledger.ack(i, { writer, seq: i });
  return ledger;
}

function recordOf(seq: number, line: number, changes: Partial<LogRecord> = {}): LogRecord {
  const chain = { checksum: seq, previous: seq - 1 };
  const rest = {
    timestamp: seq,
    kind: 0,
    parents: [],
    trim: undefined,
    payload: payloadOf(line),
    isRedacted: false,
    isWhole: true,
  };
  return { seq, ...chain, ...rest, ...changes };
}

const counts = (violations: Violations): Partial<Record<ViolationKind, number>> =>
  Object.fromEntries(
    violationKinds.flatMap((kind) => (violations.count(kind) > 0 ? [[kind, violations.count(kind)]] : [])),
  );

describe('a store', () => {
  function check(ledger: Ledger, records: readonly (LogRecord & { writer?: string })[]) {
    const violations = new Violations();
    const store = new StoreCheck(ledger, violations);
    records.forEach((record, i) => {
      const place = { hub: 'default', channel, writer: record.writer ?? writer, round: 1 };
      store.add({ ...place, arrival: i + 1, record, place: 'here' });
    });
    store.finish();
    return counts(violations);
  }

  test('that holds every line once and in order is right', () => {
    expect(check(ledgerOf(3), [recordOf(1, 1), recordOf(2, 2), recordOf(3, 3)])).toEqual({});
  });

  test('that lacks an acknowledged line has lost it; one never answered it may lack', () => {
    expect(check(ledgerOf(3), [recordOf(1, 1), recordOf(2, 2)])).toEqual({ lost: 1 });
    expect(check(ledgerOf(3, 2), [recordOf(1, 1), recordOf(2, 2)])).toEqual({});
  });

  test('that holds a line as two entries has doubled it', () => {
    const records = [recordOf(1, 1), recordOf(2, 2), recordOf(3, 2)];
    expect(check(ledgerOf(2), records)).toEqual({ doubled: 1, lost: 1 });
  });

  test('that holds an entry twice has doubled it', () => {
    const records = [recordOf(1, 1), recordOf(2, 2), recordOf(2, 2, { previous: 2 })];
    expect(check(ledgerOf(2), records)).toEqual({ doubled: 2 });
  });

  test('that holds the lines of a nick in another order says so', () => {
    const ledger = ledgerOf(2, 0);
    expect(check(ledger, [recordOf(1, 2), recordOf(2, 1)])).toEqual({ 'out-of-order': 1 });
  });

  test('that holds a line under another dot than was acknowledged has lost the acknowledged one', () => {
    const records = [recordOf(1, 1), recordOf(1, 2, { previous: 0 })].map((record, i) => ({
      ...record,
      writer: i === 0 ? writer : later,
    }));
    expect(check(ledgerOf(2), records)).toEqual({ lost: 1 });
  });

  test('that holds what was refused, or what nobody sent, holds a phantom', () => {
    const ledger = ledgerOf(1, 0);
    ledger.reject(1);
    expect(check(ledger, [recordOf(1, 1)])).toEqual({ phantom: 1 });
    expect(check(ledgerOf(1), [recordOf(1, 1), recordOf(2, 7)])).toEqual({ phantom: 1 });
  });

  test('that holds other bytes than were sent is told', () => {
    const payload = Buffer.from('{"line":1,"text":"sad"}');
    expect(check(ledgerOf(1), [recordOf(1, 1, { payload })])).toEqual({ altered: 1 });
  });

  test('whose entries do not name each other is damaged', () => {
    expect(check(ledgerOf(2), [recordOf(1, 1), recordOf(2, 2, { previous: 9 })])).toEqual({ damaged: 1 });
    expect(check(ledgerOf(3, 0), [recordOf(1, 1), recordOf(3, 3, { previous: 1 })])).toEqual({ damaged: 1 });
  });
});

describe('a reader', () => {
  function check(
    ledger: Ledger,
    got: readonly { seq: number; line: number; late?: boolean; isWhole?: boolean; writer?: string }[],
    store?: SequenceLog,
  ) {
    const violations = new Violations();
    const reader = new ReaderCheck(
      { name: 'reader', fromStart: true, mayMeetOthers: false },
      ledger,
      violations,
    );
    for (const { seq, line, late = false, isWhole = true, writer: by = writer } of got)
      reader.record(channel, by, recordOf(seq, line, { isWhole }), late);
    reader.finish(store ? new Map([[channel, store]]) : undefined);
    return counts(violations);
  }

  const inOrder = (...seqs: number[]) => seqs.map((seq) => ({ seq, line: seq }));
  function storeOf(...entries: (readonly [writer: string, seq: number, line: number])[]): SequenceLog {
    const log = new SequenceLog();
    for (const entry of entries) log.add(...entry);
    return log;
  }
  const three = () => storeOf([writer, 1, 1], [writer, 2, 2], [writer, 3, 3]);

  test('who got everything once and in order is content', () => {
    expect(check(ledgerOf(3), inOrder(1, 2, 3), three())).toEqual({});
  });

  test('who got an entry again counts a duplicate', () => {
    expect(check(ledgerOf(3), inOrder(1, 2, 2, 3), three())).toEqual({ duplicate: 1 });
    expect(check(ledgerOf(3), inOrder(1, 2, 3, 1, 2, 3), three())).toEqual({ duplicate: 3 });
  });

  test('who was left out of an entry counts a gap, and the line as lost', () => {
    expect(check(ledgerOf(3), inOrder(1, 3), three())).toEqual({ gap: 2, lost: 1 });
  });

  test('who never got the newest acknowledged line lost it', () => {
    expect(check(ledgerOf(3), inOrder(1, 2), three())).toEqual({ lost: 1 });
  });

  test('who lacks the newest line that nobody acknowledged lost nothing', () => {
    expect(check(ledgerOf(3, 2), inOrder(1, 2), three())).toEqual({});
  });

  test('who got entries the other way round is told', () => {
    const found = check(ledgerOf(3), inOrder(1, 3, 2), three());
    expect(found['out-of-order']).toBeGreaterThan(0);
  });

  test('who got two writers in another order than the store has them is told', () => {
    const ledger = ledgerOf(2, 0);
    const store = storeOf([writer, 1, 1], [later, 1, 2]);
    const got = [
      { seq: 1, line: 2, writer: later },
      { seq: 1, line: 1 },
    ];
    // Once for the order of the store, once for the nick's own.
    expect(check(ledger, got, store)).toEqual({ 'out-of-order': 2 });
  });

  test('who got what the store does not hold saw a phantom', () => {
    const store = storeOf([writer, 1, 1], [writer, 2, 2]);
    expect(check(ledgerOf(3, 2), inOrder(1, 2, 3), store)).toEqual({ phantom: 1 });
  });

  test('who got other lines under the same numbers is told', () => {
    const store = storeOf([writer, 1, 2], [writer, 2, 1]);
    expect(check(ledgerOf(2, 0), inOrder(1, 2), store)).toEqual({ altered: 1 });
  });

  test('who got a line twice under two numbers is told', () => {
    const got = [...inOrder(1, 2), { seq: 3, line: 2 }];
    expect(check(ledgerOf(2), got)).toEqual({ doubled: 2 });
  });

  test('who got a damaged or a late entry is told', () => {
    expect(check(ledgerOf(1), [{ seq: 1, line: 1, isWhole: false }])).toEqual({ altered: 1 });
    expect(check(ledgerOf(1), [{ seq: 1, line: 1, late: true }])).toEqual({ 'out-of-order': 1 });
  });
});

test('the order of a channel is compared with many writers as with one by one', () => {
  const dots = Array.from({ length: 200 }, (_, i) => [i % 7 < 3 ? writer : later, i] as const);
  const seqs = new Map<string, number>();
  const next = (by: string) => seqs.set(by, (seqs.get(by) ?? 0) + 1).get(by)!;
  const order = dots.map(([by]) => [by, next(by)] as const);
  const logOf = (entries: readonly (readonly [string, number])[]) => {
    const log = new SequenceLog();
    for (const [by, seq] of entries) log.add(by, seq, seq);
    return log;
  };
  expect(compareOrder(logOf(order), logOf(order)).same).toBe(true);
  // A neighbour of another writer taken first: exactly that one stands elsewhere.
  const at = order.findIndex(([by], i) => i > 50 && by !== order[i + 1]![0]);
  const swapped = [...order.slice(0, at), order[at + 1]!, order[at]!, ...order.slice(at + 2)];
  const { outOfOrder, missing, unknown } = compareOrder(logOf(order), logOf(swapped));
  expect(outOfOrder).toEqual([`${order[at]![0]}-${order[at]![1]}`]);
  expect([missing, unknown]).toEqual([[], []]);
});

test('the number of a line is found at the start of its payload and nowhere else', () => {
  expect(lineOf(payloadOf(106_322))).toBe(106_322);
  expect(lineOf(Buffer.from('{"text":"{\\"line\\":5"}'))).toBe(0);
  expect(lineOf(Buffer.from(''))).toBe(0);
});
