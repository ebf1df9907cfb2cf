/** What is shown of a document, as a value of its type. */
import { find } from '../documents/apply.js';
import { Fault } from '../documents/faults.js';
import { readPointer } from '../documents/pointer.js';
import { type Json, Text, canonical } from '../documents/value.js';

export class DocumentView<T> {
  readonly #parse: ((value: unknown) => T) | undefined;
  #json: Json = null;
  #value: { readonly value: T } | undefined;

  constructor(parse: ((value: unknown) => T) | undefined) {
    this.#parse = parse;
  }

  get json(): Json {
    return this.#json;
  }

  set json(json: Json) {
    this.#json = json;
    this.#value = undefined;
  }

  /** Throws what `parse` throws. */
  get value(): T {
    this.#value ??= { value: this.#parsed(this.#json) };
    return this.#value.value;
  }

  /** `undefined` where there is none. */
  text(path: string): string | undefined {
    const pointer = readPointer(path);
    const value = pointer instanceof Fault ? pointer : find(this.#json, pointer);
    return typeof value === 'string' || value instanceof Text ? String(value) : undefined;
  }

  /** Where what is shown is of the type, so must be what comes of it. */
  check(next: Json): void {
    if (!this.#parse) return;
    try {
      void this.value;
    } catch {
      return;
    }
    this.#parsed(next);
  }

  #parsed(json: Json): T {
    const value = JSON.parse(canonical(json)) as unknown;
    return this.#parse ? this.#parse(value) : (value as T);
  }
}
