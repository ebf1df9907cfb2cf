/** Keystrokes of people, each a patch of its own, through the fold: the text in the end is the one that was recorded. */
import { describe, expect, test } from 'vitest';
import { type Edit, type Trace, madeUpTrace, readTrace } from '../../examples/editing-trace/trace.js';
import { utf8 } from '../../src/base/bytes.js';
import { canonical, sizeOf } from '../../src/documents/value.js';
import { type Fold, emptyFold, foldEntry } from '../../src/documents/fold.js';
import { readSnapshot, snapshotOf } from '../../src/documents/snapshot.js';
import { decodeContent, encodeContent } from '../../src/log/entry-wire.js';
import { testData } from '../support/data.js';

/** So often the fold goes on from a snapshot, as it is stored. */
const snapshotEvery = 10_000;

function patched(fold: Fold, operations: readonly unknown[]): Fold {
  const content = { payload: utf8(JSON.stringify(operations)) };
  return foldEntry(fold, { kind: 'patch', content }).fold;
}

function stored(fold: Fold): Fold {
  const content = decodeContent(encodeContent(snapshotOf(fold)));
  if (!content.ok) throw new Error(content.error);
  return readSnapshot(content.value)!;
}

function operationOf([at, remove, insert]: Edit): unknown {
  return { op: 'splice', path: '/text', at, remove, insert };
}

function typed({ start, changes }: Trace): Fold {
  let fold = patched(emptyFold, [{ op: 'add', path: '/text', value: start }]);
  for (const [i, edits] of changes.entries()) {
    fold = patched(fold, edits.map(operationOf));
    if ((i + 1) % snapshotEvery === 0) fold = stored(fold);
  }
  return fold;
}

/** What came of it, and what should. */
function told(trace: Trace): { is: unknown; should: unknown } {
  const { document, version, voids } = typed(trace);
  const text = canonical(document);
  const should = JSON.stringify({ text: trace.end });
  return {
    is: { text, bytes: sizeOf(document), version, voids },
    should: { text: should, bytes: utf8(should).length, version: trace.changes.length + 1, voids: 0 },
  };
}

describe.each(['friendsforever_flat', 'rustcode', 'seph-blog1'])('the keystrokes of %s', (name) => {
  const path = testData(`editing/${name}.json.gz`);
  test.skipIf(path === undefined)('give the text that was recorded', () => {
    const trace = readTrace(path!, Infinity);
    expect(trace.changes.length).toBeGreaterThan(20_000);
    const { is, should } = told(trace);
    expect(is).toEqual(should);
  });
});

test('made-up keystrokes give the text that a plain string gives', () => {
  const { is, should } = told(madeUpTrace(2 * snapshotEvery + 1));
  expect(is).toEqual(should);
});

test('keystrokes of our own give the text that was typed', () => {
  // A letter that JSON escapes, one of two units, a line that is taken away, several places at once.
  const changes: Edit[][] = [
    [[0, 0, 'Hello']],
    [[5, 0, ' "world"\n']],
    [[6, 7, '🌍']],
    [[8, 0, '\\']],
    [
      [0, 5, 'Grüße'],
      [10, 0, '\tsecond line\n'],
    ],
    [[6, 2, '🌎🌏']],
    [[12, 13, '']],
  ];
  const { is, should } = told({
    name: 'our own',
    start: '',
    changes,
    end: 'Grüße 🌎🌏\\\n',
    isRecorded: true,
  });
  expect(is).toEqual(should);
});
