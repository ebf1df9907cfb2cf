/** Compares the order in which a reader got a channel with the order it is stored in. */
import type { SequenceLog, Span } from './sequence-log.js';

export interface OrderDifferences {
  /** Both are the same from the first to the last entry. */
  readonly same: boolean;
  /** Entries as text that the reader has and the store has not. */
  readonly unknown: readonly string[];
  readonly outOfOrder: readonly string[];
  /** Entries the reader lacks although it has later ones. */
  readonly missing: readonly string[];
}

/** A span of the store and the place of its first entry in the order. */
interface PlacedSpan {
  readonly span: Span;
  readonly position: number;
}

/** As many differences of a kind are told. */
const differencesMax = 1_000;

export function compareOrder(store: SequenceLog, reader: SequenceLog): OrderDifferences {
  if (sameSpans(store, reader)) return { same: true, unknown: [], outOfOrder: [], missing: [] };
  const placed = placeSpans(store);
  const unknown: string[] = [];
  const outOfOrder: string[] = [];
  let last = -1;
  for (const { writer, fromSeq, toSeq } of reader.spans) {
    for (let seq = fromSeq; seq <= toSeq;) {
      const found = placed.get(writer)?.find(({ span }) => seq >= span.fromSeq && seq <= span.toSeq);
      if (!found) {
        if (unknown.length < differencesMax) unknown.push(`${writer}-${seq}`);
        seq++;
        continue;
      }
      const position = found.position + seq - found.span.fromSeq;
      if (position < last && outOfOrder.length < differencesMax) outOfOrder.push(`${writer}-${seq}`);
      const through = Math.min(toSeq, found.span.toSeq);
      last = Math.max(last, position + through - seq);
      seq = through + 1;
    }
  }
  return { same: false, unknown, outOfOrder, missing: missingBefore(last, placed, reader) };
}

function sameSpans(a: SequenceLog, b: SequenceLog): boolean {
  if (a.entries !== b.entries || a.spans.length !== b.spans.length) return false;
  return a.spans.every((span, i) => {
    const other = b.spans[i]!;
    return span.writer === other.writer && span.fromSeq === other.fromSeq && span.toSeq === other.toSeq;
  });
}

function placeSpans(store: SequenceLog): Map<string, PlacedSpan[]> {
  const placed = new Map<string, PlacedSpan[]>();
  let position = 0;
  for (const span of store.spans) {
    const spans = placed.get(span.writer) ?? [];
    spans.push({ span, position });
    placed.set(span.writer, spans);
    position += span.toSeq - span.fromSeq + 1;
  }
  return placed;
}

/** What came after the reader's last entry it may simply not have got yet. */
function missingBefore(
  last: number,
  placed: ReadonlyMap<string, readonly PlacedSpan[]>,
  reader: SequenceLog,
): string[] {
  const missing: string[] = [];
  for (const [writer, spans] of placed) {
    for (const { span, position } of spans) {
      const through = Math.min(span.toSeq, span.fromSeq + (last - position));
      for (let seq = span.fromSeq; seq <= through && missing.length < differencesMax; seq++)
        if (!reader.has(writer, seq)) missing.push(`${writer}-${seq}`);
    }
  }
  return missing;
}
