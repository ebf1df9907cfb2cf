/** JSON text to values, more strictly than `JSON.parse`: a name comes once in an object, numbers survive the way there and
 *  back, texts are whole Unicode, and nesting has a bound. */
import { fromBase64, toBase64Url, utf8Text } from '../base/bytes.js';
import { documentLimits as limits } from '../base/document-limits.js';
import { Fault, type FaultCode } from './faults.js';
import { type NumberLiteral, isKept, numberPattern } from './number-literal.js';
import { ownText } from './own-text.js';
import { Bytes, Dict, type Json, List, Text, bytesMember, plainTextMax, textOf } from './value.js';

const quote = 34;
const comma = 44;
const minus = 45;
const colon = 58;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/** Of a name, in what is told to people. */
const shownUnits = 64;
const words = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

/** `kept`: also in a fraction's form, or with an exponent, a whole number must not be rounded, and nothing becomes zero
 *  (`isKept`). `as-folded`: as what is in logs has always been read, some of which was let in before that was looked at. */
export type Numbers = 'kept' | 'as-folded';

/** Expects UTF-8. */
export function readJson(bytes: Uint8Array): Json | Fault {
  return decoded(bytes, readJsonText);
}

export function readJsonText(text: string): Json | Fault {
  return stopped(() => new JsonReader(text).document());
}

/** Of an object that is read and not kept as a value. */
export type Members = ReadonlyMap<string, Json>;

/** The items of an array, objects among them as members: to be looked at and left. `undefined` for another value. */
export function readItems(
  json: Uint8Array | string,
  itemsMax: number,
  numbers: Numbers,
): readonly (Members | Json)[] | Fault | undefined {
  return typeof json === 'string'
    ? stopped(() => new JsonReader(json, itemsMax, numbers).items())
    : decoded(json, (text) => readItems(text, itemsMax, numbers));
}

function decoded<T>(bytes: Uint8Array, read: (text: string) => T): T | Fault {
  let text: string;
  try {
    text = utf8Text(bytes);
  } catch {
    return new Fault('json', 'The text is not valid UTF-8.');
  }
  return read(text);
}

function stopped<T>(read: () => T): T | Fault {
  try {
    return read();
  } catch (error) {
    if (error instanceof Stop) return error.fault;
    throw error;
  }
}

/** Ends the reading at once, however deep it is; caught above, and nowhere else seen. */
class Stop extends Error {
  constructor(readonly fault: Fault) {
    super(fault.message);
  }
}

class JsonReader {
  #at = 0;

  constructor(
    readonly text: string,
    /** Of the outermost array, where it is one; beyond it nothing more is read. */
    readonly itemsMax = Infinity,
    readonly numbers: Numbers = 'as-folded',
  ) {}

  document(): Json {
    const value = this.#value(0);
    this.#end();
    return value;
  }

  items(): (Members | Json)[] | undefined {
    this.#space();
    if (!this.#took(openBracket)) {
      this.document();
      return undefined;
    }
    const items = this.#items(1, () => this.#item());
    this.#end();
    return items;
  }

  #item(): Members | Json {
    this.#space();
    if (!this.#took(openBrace)) return this.#value(1);
    const members = this.#members(2);
    return members.has(bytesMember) ? this.#ended(members) : members;
  }

  #end(): void {
    this.#space();
    if (this.#at < this.text.length) this.#stop('json', 'There is something behind the value');
  }

  #stop(code: FaultCode, message: string): never {
    throw new Stop(new Fault(code, `${message}, at character ${this.#at}.`));
  }

  #space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.#at++;
    }
  }

  #value(depth: number): Json {
    this.#space();
    const code = this.text.charCodeAt(this.#at);
    if (code === quote) return textOf(this.#string());
    if (code === openBrace || code === openBracket) {
      if (depth >= limits.documentDepthMax)
        this.#stop('depth', `Arrays and objects nest deeper than ${limits.documentDepthMax}`);
      this.#at++;
      return code === openBrace
        ? this.#ended(this.#members(depth + 1))
        : List.of(this.#items(depth + 1, () => this.#value(depth + 1)));
    }
    return code === minus || (code >= 48 && code <= 57) ? this.#number() : this.#word();
  }

  #word(): Json {
    const word = words.find(([name]) => this.text.startsWith(name, this.#at));
    if (!word) return this.#stop('json', 'A value is expected');
    this.#at += word[0].length;
    return word[1];
  }

  #number(): number {
    numberPattern.lastIndex = this.#at;
    const match = numberPattern.exec(this.text);
    if (!match) return this.#stop('json', 'This is no number');
    const [literal, , fraction, exponent] = match;
    const value = Number(literal);
    const isPlain = fraction === undefined && exponent === undefined;
    const survives = !isPlain || Number.isSafeInteger(value) || String(value) === literal;
    const isTaken = this.numbers === 'as-folded' || isKept(match as unknown as NumberLiteral, value);
    if (!Number.isFinite(value) || !survives || !isTaken)
      this.#stop(
        'number',
        'A number is none that JSON readers keep: too large, or with more digits than they have',
      );
    this.#at += literal.length;
    // There is no negative zero in the canonical form.
    return value === 0 ? 0 : value;
  }

  #string(): string {
    const { text } = this;
    const start = this.#at + 1;
    let isEscaped = false;
    let end = start;
    for (; ; end++) {
      const code = text.charCodeAt(end);
      if (code === quote) break;
      if (code === backslash) {
        isEscaped = true;
        end++;
      } else if (!(code >= 32)) {
        // Not a number behind the end.
        this.#at = end;
        this.#stop('json', 'A text does not end, or has a control character');
      }
    }
    const raw = text.slice(start, end);
    const value = isEscaped ? this.#unescaped(raw) : raw.length > plainTextMax ? raw : ownText(raw);
    if (isEscaped && /\p{Surrogate}/u.test(value))
      this.#stop('surrogate', 'A text has half a surrogate pair');
    this.#at = end + 1;
    return value;
  }

  #unescaped(raw: string): string {
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      return this.#stop('json', 'A text has an escape that does not exist');
    }
  }

  #items<T>(depth: number, item: () => T): T[] {
    const items: T[] = [];
    this.#space();
    if (this.#took(closeBracket)) return items;
    for (;;) {
      if (depth === 1 && items.length >= this.itemsMax)
        this.#stop('too-many-operations', `There are more than ${this.itemsMax}`);
      items.push(item());
      this.#space();
      if (this.#took(closeBracket)) return items;
      if (!this.#took(comma)) this.#stop('json', '"," or "]" is expected');
    }
  }

  #members(depth: number): Members {
    const members = new Map<string, Json>();
    this.#space();
    if (this.#took(closeBrace)) return members;
    for (;;) {
      this.#space();
      if (this.text.charCodeAt(this.#at) !== quote) this.#stop('json', 'A name is expected');
      const name = this.#string();
      if (members.has(name))
        this.#stop('duplicate-name', `The name ${JSON.stringify(name.slice(0, shownUnits))} comes twice`);
      this.#space();
      if (!this.#took(colon)) this.#stop('json', '":" is expected');
      members.set(name, this.#value(depth));
      this.#space();
      if (this.#took(closeBrace)) return members;
      if (!this.#took(comma)) this.#stop('json', '"," or "}" is expected');
    }
  }

  #ended(members: Members): Json {
    if (!members.has(bytesMember)) return Dict.of(members);
    const value = members.get(bytesMember);
    const text = value instanceof Text ? value.toString() : value;
    const bytes = typeof text === 'string' && members.size === 1 ? fromBase64(text) : undefined;
    return bytes
      ? new Bytes(paddedBase64(bytes))
      : this.#stop('bytes', `"${bytesMember}" stands alone in its object, and is base64`);
  }

  #took(code: number): boolean {
    if (this.text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }
}

function paddedBase64(bytes: Uint8Array): string {
  const text = toBase64Url(bytes).replaceAll('-', '+').replaceAll('_', '/');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}
