/** Patterns of names of channels, and of methods, which have the same grammar: `*` stands for anything, also for nothing and
 *  for ":"; `#` for one whole segment between ":". A list of them is compiled once; a name costs one look-up for all single names, one for
 *  all beginnings of one length, and one for all endings of one length: of the rest only those that fit both are tried. */
import { type Result, err, ok } from '../base/result.js';
import { limits } from '../base/limits.js';

/** Of names; never found in one, so a pattern of such characters alone is a name. */
const characters = /^\$?[A-Za-z0-9._~@+=%:*#-]+$/;

/** Whether it may be a pattern at all; the sentence says what is wrong. */
export function checkPattern(text: string): Result<string, string> {
  if (text.length === 0 || text.length > limits.channelPatternBytesMax || !characters.test(text))
    return err(`A pattern has 1 to ${limits.channelPatternBytesMax} characters of names, "*" and "#".`);
  const isWhole = text.split(':').every((segment) => segment === '#' || !segment.includes('#'));
  return isWhole ? ok(text) : err('In a pattern "#" stands for a whole segment, as in "game:#:chat".');
}

/** A pattern with more than one "*" or a "#", or with text behind its star. */
interface Other {
  readonly pattern: string;
  /** What a name begins with. */
  readonly head: string;
}

/** Patterns of which the same part of a name, as long in all of them, is looked for. */
class Parts<T> {
  readonly by = new Map<string, T>();
  /** With what characters a name may begin, each as one of 32 bits, which several share: most names fail by that. */
  #first = 0;

  constructor(readonly length: number) {}

  /** `head`: what a name begins with. */
  add(head: string, part: string, value: T): void {
    this.#first |= head === '' ? -1 : 1 << head.charCodeAt(0);
    this.by.set(part, value);
  }

  mayFit(name: string): boolean {
    return (this.#first & (1 << name.charCodeAt(0))) !== 0;
  }
}

export class Patterns {
  readonly #names = new Set<string>();
  /** Beginnings, from patterns whose one "*" is the last character; what has one length is together. */
  readonly #beginnings: Parts<true>[] = [];
  /** By what a name ends with. */
  readonly #others: Parts<Other[]>[] = [];

  /** All of `texts` have passed `checkPattern`. */
  constructor(texts: readonly string[]) {
    for (const text of new Set(texts)) {
      if (!/[*#]/.test(text)) this.#names.add(text);
      else if (/^[^*#]*\*$/.test(text)) {
        const beginning = text.slice(0, -1);
        partsOf(this.#beginnings, beginning.length).add(beginning, beginning, true);
      } else this.#addOther(text);
    }
  }

  matches(name: string): boolean {
    if (this.#names.has(name)) return true;
    for (const parts of this.#beginnings)
      if (parts.mayFit(name) && parts.by.has(name.slice(0, parts.length))) return true;
    for (const parts of this.#others) {
      if (!parts.mayFit(name)) continue;
      const tail = parts.length === 0 ? '' : name.slice(-parts.length);
      for (const { head, pattern } of parts.by.get(tail) ?? none)
        if (name.startsWith(head) && matchesPattern(pattern, name)) return true;
    }
    return false;
  }

  #addOther(pattern: string): void {
    const head = pattern.slice(0, pattern.search(/[*#]/));
    const tail = /[^*#]*$/.exec(pattern)![0];
    const parts = partsOf(this.#others, tail.length);
    parts.add(head, tail, [...(parts.by.get(tail) ?? []), { pattern, head }]);
  }
}

const none: readonly Other[] = [];

function partsOf<T>(all: Parts<T>[], length: number): Parts<T> {
  const found = all.find((parts) => parts.length === length) ?? new Parts<T>(length);
  if (!all.includes(found)) all.push(found);
  return found;
}

/** Goes back to the last "*" alone: what lies between two stars matches best where it matches first, since a segment ends
 *  at the next ":" wherever it was begun. Linear in practice, never worse than the product of both lengths. */
function matchesPattern(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  for (;;) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      resume = n;
      continue;
    }
    const next = step(pattern, p, name, n);
    if (next >= 0) {
      if (p === pattern.length) return true;
      p++;
      n = next;
      continue;
    }
    if (star < 0 || resume >= name.length) return false;
    p = star + 1;
    n = ++resume;
  }
}

/** Where the name goes on behind the pattern's next part; -1 where that does not fit. At the end of the pattern the name
 *  must end too. */
function step(pattern: string, p: number, name: string, n: number): number {
  if (p === pattern.length) return n === name.length ? n : -1;
  if (pattern[p] !== '#') return pattern[p] === name[n] ? n + 1 : -1;
  // Behind a "*" it may stand anywhere, and a segment begins behind ":" only.
  if (n > 0 && name[n - 1] !== ':') return -1;
  const colon = name.indexOf(':', n);
  const end = colon < 0 ? name.length : colon;
  return end > n ? end : -1;
}
