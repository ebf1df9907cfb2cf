/** Sets of seqs as flat pairs of first and last, rising and not touching: what is mostly one stretch is two numbers. */

/** Adds a seq above all that are in. */
export function addSeq(ranges: number[], seq: number): void {
  addRange(ranges, seq, seq);
}

/** Adds seqs above all that are in. */
export function addRange(ranges: number[], from: number, to: number): void {
  if (ranges.length > 0 && ranges[ranges.length - 1] === from - 1) ranges[ranges.length - 1] = to;
  else ranges.push(from, to);
}

/** The greatest seq of the set in [from, to]. */
export function lastSeqIn(ranges: readonly number[], from: number, to: number): number | undefined {
  let low = 0;
  let high = ranges.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle]! <= to) low = middle + 1;
    else high = middle;
  }
  const last = low === 0 ? 0 : Math.min(ranges[2 * low - 1]!, to);
  return last >= from ? last : undefined;
}

/** The set with [from, to] added, wherever it lies. */
export function mergedRanges(ranges: readonly number[], from: number, to: number): number[] {
  const out: number[] = [];
  let low = from;
  let high = to;
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = [ranges[i]!, ranges[i + 1]!];
    if (last < low - 1 || first > high + 1) out.push(first, last);
    else [low, high] = [Math.min(low, first), Math.max(high, last)];
  }
  const at = out.findIndex((first, i) => i % 2 === 0 && first > low);
  out.splice(at < 0 ? out.length : at, 0, low, high);
  return out;
}

/** What of the set lies above `floor`. */
export function rangesAbove(ranges: readonly number[], floor: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i + 1]! > floor) out.push(Math.max(ranges[i]!, floor + 1), ranges[i + 1]!);
  }
  return out;
}

/** The set as pairs. */
export function pairsOf(ranges: readonly number[]): (readonly [from: number, to: number])[] {
  return overlaps(ranges, -Infinity, Infinity);
}

/** What of the set lies in [from, to]. */
export function overlaps(
  ranges: readonly number[],
  from: number,
  to: number,
): (readonly [from: number, to: number])[] {
  const out: (readonly [number, number])[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = [Math.max(from, ranges[i]!), Math.min(to, ranges[i + 1]!)];
    if (first <= last) out.push([first, last]);
  }
  return out;
}

/** The set without [from, to]. */
export function rangesWithout(ranges: readonly number[], from: number, to: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const [first, last] = [ranges[i]!, ranges[i + 1]!];
    if (first < from) out.push(first, Math.min(last, from - 1));
    if (last > to) out.push(Math.max(first, to + 1), last);
  }
  return out;
}
