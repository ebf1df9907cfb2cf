/** JSON as text, where values would lose something: nesting is measured before anything is parsed, and a value goes
 *  on as the characters it came as, because a number above 2^53 does not survive `JSON.parse`. */

const quote = 34;
const backslash = 92;
const comma = 44;
const openBracket = 91;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/** Whether arrays and objects nest no deeper than that. Never recurses; any bytes are allowed. */
export function isNestedWithin(depthMax: number, json: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (inText) {
      if (byte === backslash) i++;
      else if (byte === quote) inText = false;
    } else if (byte === quote) {
      inText = true;
    } else if (byte === openBrace || byte === openBracket) {
      if (++depth > depthMax) return false;
    } else if (byte === closeBrace || byte === closeBracket) {
      depth--;
    }
  }
  return true;
}

/** Valid JSON as text, taken apart no further than asked. */
export class JsonSource {
  #members: ReadonlyMap<string, string> | undefined;
  #elements: readonly string[] | undefined;

  constructor(readonly text: string) {}

  /** Of an object; an empty object where there is no such member. */
  member(name: string): JsonSource {
    this.#members ??= membersOf(this.text);
    return new JsonSource(this.#members.get(name) ?? '{}');
  }

  /** Of an array; an empty object beyond its end. */
  element(index: number): JsonSource {
    this.#elements ??= [...parts(this.text)];
    return new JsonSource(this.#elements[index] ?? '{}');
  }
}

/** The text of each member of an object; of two with one name the last, as `JSON.parse` has it. */
function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const part of parts(json)) {
    const nameEnd = endOfText(part, 0);
    const value = part.slice(part.indexOf(':', nameEnd) + 1).trimStart();
    members.set(JSON.parse(part.slice(0, nameEnd)) as string, value);
  }
  return members;
}

/** The same JSON without white space between its tokens. Expects valid JSON. */
export function compact(json: string): string {
  let out = '';
  let from = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === quote) {
      i = endOfText(json, i) - 1;
    } else if (code === 32 || (code >= 9 && code <= 13)) {
      out += json.slice(from, i);
      from = i + 1;
    }
  }
  return from === 0 ? json : out + json.slice(from);
}

/** The members or elements of the outermost object or array, without the white space around them. */
function* parts(json: string): Generator<string> {
  if (!/^\s*[[{]/.test(json)) return;
  let depth = 0;
  let from = json.search(/[[{]/) + 1;
  const last = Math.max(json.lastIndexOf('}'), json.lastIndexOf(']'));
  for (let i = from; i < last; i++) {
    const code = json.charCodeAt(i);
    if (code === quote) {
      i = endOfText(json, i) - 1;
    } else if (code === openBrace || code === openBracket) {
      depth++;
    } else if (code === closeBrace || code === closeBracket) {
      depth--;
    } else if (code === comma && depth === 0) {
      yield json.slice(from, i).trim();
      from = i + 1;
    }
  }
  const rest = json.slice(from, last).trim();
  if (rest !== '') yield rest;
}

/** The position after the string that begins at `at`. */
function endOfText(json: string, at: number): number {
  for (let i = at + 1; ; i++) {
    const code = json.charCodeAt(i);
    if (code === quote) return i + 1;
    if (code === backslash) i++;
  }
}
