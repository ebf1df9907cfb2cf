/** What the committer is told before something is stamped that goes by what its channel comes to. */
import { expect, test } from 'vitest';
import type { ChannelRef, Dot, WriterId } from '../../src/base/ids.js';
import { defaultRules } from '../../src/channels/rules.js';
import { ActiveChannel } from '../../src/engine/active-channel.js';
import { Documents } from '../../src/engine/documents/documents.js';
import type { Logs } from '../../src/engine/ports.js';
import type { Pending } from '../../src/engine/pending.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { RunWriter } from '../../src/log/run-writer.js';

const ref = { hub: 'default', channel: 'doc:plan' } as ChannelRef;
const [own, other, third] = ['1', '2', '3'].map((digit) => digit.repeat(24) as WriterId) as [
  WriterId,
  WriterId,
  WriterId,
];
const patch = { kind: 'publish', judged: { kind: 'patch' } } as Partial<Pending> as Pending;

interface Written {
  readonly writer: WriterId;
  readonly seq: number;
  readonly parents?: readonly Dot[];
}

/** Of a node that is asked before an entry with `parents`; the first entry alone is committed. */
function readinessAfter(written: readonly Written[], parents: readonly Dot[]): string {
  const log = new ChannelLog(ref);
  for (const { writer, seq, parents: over } of written) {
    const runs = new RunWriter();
    runs.begin(ref, writer, 1, seq, log.writer(writer)?.lastChecksum ?? 0);
    runs.append({ timestamp: 1_000_000_000_000 + seq, kind: 'merge', ...(over && { parents: over }) });
    log.apply(runs.end());
  }
  log.commitThrough(written[0]!);
  const channel = new ActiveChannel(ref, defaultRules, 0);
  channel.loaded(log, own);
  const hashing = { sha256: () => new Uint8Array(32) };
  const folds = new Documents({} as Logs, own, hashing, { failed: () => {} });
  return folds.readiness(channel, [patch], parents);
}

const first = { writer: other, seq: 1 };

test('what follows the only head is judged once that is folded', () => {
  expect(readinessAfter([first], [first])).toBe('loading');
});

test('with two heads a merge comes first', () => {
  const beside = { writer: third, seq: 1, parents: [first] };
  const others = { writer: other, seq: 2 };
  expect(readinessAfter([first, others, beside], [others, beside])).toBe('merge');
});

test('what the writer itself wrote beyond the committed order is merged first: no parents name it', () => {
  const alone = { writer: own, seq: 1, parents: [first] };
  expect(readinessAfter([first, alone], [first])).toBe('merge');
});
