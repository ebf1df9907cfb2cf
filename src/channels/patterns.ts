/** Patterns of names of channels, and of methods, which have the same grammar: `*` stands for anything, also for nothing and
 *  for ":"; `#` for one whole segment between ":". A list of them is compiled once; single names and beginnings, which most
 *  are, cost one look-up each. */
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

export class Patterns {
  readonly #names = new Set<string>();
  /** Beginnings, from patterns whose one "*" is the last character. */
  readonly #beginnings: string[] = [];
  readonly #others: string[] = [];

  /** All of `texts` have passed `checkPattern`. */
  constructor(texts: readonly string[]) {
    for (const text of new Set(texts)) {
      if (!/[*#]/.test(text)) this.#names.add(text);
      else if (/^[^*#]*\*$/.test(text)) this.#beginnings.push(text.slice(0, -1));
      else this.#others.push(text);
    }
  }

  matches(name: string): boolean {
    if (this.#names.has(name)) return true;
    for (const beginning of this.#beginnings) if (name.startsWith(beginning)) return true;
    for (const pattern of this.#others) if (matchesPattern(pattern, name)) return true;
    return false;
  }
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
