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

/** The text of each member of an object, without white space; of two with one name the last, as `JSON.parse` has it.
 *  Expects valid JSON of an object. */
export function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const [from, to] of parts(json)) {
    const nameEnd = endOfText(json, from);
    const name = JSON.parse(json.slice(from, nameEnd)) as string;
    members.set(name, json.slice(nameEnd + 1, to));
  }
  return members;
}

/** The text of each element of an array. Expects valid JSON of an array, without white space. */
export function elementsOf(json: string): string[] {
  return [...parts(json)].map(([from, to]) => json.slice(from, to));
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

/** Where the members or elements of the outermost object or array begin and end. */
function* parts(json: string): Generator<readonly [from: number, to: number]> {
  let depth = 0;
  let from = 1;
  const last = json.length - 1;
  for (let i = 1; i < last; i++) {
    const code = json.charCodeAt(i);
    if (code === quote) {
      i = endOfText(json, i) - 1;
    } else if (code === openBrace || code === openBracket) {
      depth++;
    } else if (code === closeBrace || code === closeBracket) {
      depth--;
    } else if (code === comma && depth === 0) {
      yield [from, i];
      from = i + 1;
    }
  }
  if (from < last) yield [from, last];
}

/** The position after the string that begins at `at`. */
function endOfText(json: string, at: number): number {
  for (let i = at + 1; ; i++) {
    const code = json.charCodeAt(i);
    if (code === quote) return i + 1;
    if (code === backslash) i++;
  }
}
