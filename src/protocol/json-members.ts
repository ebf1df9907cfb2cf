/** Members of an untrusted JSON object, each read as the type it must have. The first value that is not allowed is kept
 *  as a sentence; what is absent is `undefined`; what nobody asks for is ignored, since versions only add. */
import { fromBase64, utf8 } from '../base/bytes.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Half of a surrogate pair cannot be written as UTF-8: it would come back as another character.
const loneSurrogate = /\p{Surrogate}/u;

export class JsonMembers {
  problem: string | undefined;

  constructor(readonly object: JsonObject) {}

  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  get(name: string): unknown {
    return this.has(name) ? this.object[name] : undefined;
  }

  text(name: string, bytesMax = Infinity): string | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.refuse(`"${name}" must be a string.`);
    if (loneSurrogate.test(value)) return this.refuse(`"${name}" has half of a surrogate pair.`);
    // No character takes less than one byte, so most texts need no counting.
    if (value.length > bytesMax || (value.length * 3 > bytesMax && utf8(value).length > bytesMax)) {
      return this.refuse(`"${name}" has more than ${bytesMax} bytes.`);
    }
    return value;
  }

  /** A non-negative safe integer. */
  count(name: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
    return this.refuse(`"${name}" must be a whole number from 0 to ${max}.`);
  }

  flag(name: string): boolean | undefined {
    const value = this.get(name);
    return value === undefined || typeof value === 'boolean'
      ? value
      : this.refuse(`"${name}" must be true or false.`);
  }

  base64(name: string, bytesMax = Infinity): Uint8Array | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const bytes = typeof value === 'string' ? fromBase64(value) : undefined;
    if (bytes === undefined) return this.refuse(`"${name}" must be base64.`);
    return bytes.length > bytesMax ? this.refuse(`"${name}" has more than ${bytesMax} bytes.`) : bytes;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const found = allowed.find((each) => each === value);
    return found ?? this.refuse(`"${name}" must be one of ${allowed.join(', ')}.`);
  }

  list(name: string): readonly unknown[] {
    const value = this.get(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.refuse(`"${name}" must be an array.`);
    return [];
  }

  child(name: string): JsonMembers | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    return isJsonObject(value) ? new JsonMembers(value) : this.refuse(`"${name}" must be an object.`);
  }

  /** A member that must be there. */
  require(name: string): void {
    if (!this.has(name)) this.refuse(`"${name}" is missing.`);
  }

  refuse(problem: string): undefined {
    this.problem ??= problem;
    return undefined;
  }
}
