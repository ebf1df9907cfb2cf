/** Services of a hub that clients call by names of methods, as its settings name them, and which of them has a method. */
import { isSystemChannel, parseChannelName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { Patterns, checkPattern } from '../channels/patterns.js';
import type { OpenTo } from '../channels/permissions.js';
import { type Check, address, between, problemOf, requestHeaders } from './checks.js';

/** A program that answers by HTTP. */
export interface Service {
  readonly type: 'http';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Patterns of the methods that it has. */
  readonly methods: readonly string[];
  /** Who may call them without being granted it: left out, nobody. */
  readonly openTo?: OpenTo;
}

const serviceChecks: Readonly<Record<keyof Service, Check>> = {
  type: (value) => (value === 'http' ? undefined : 'is "http"'),
  url: address,
  headers: requestHeaders,
  timeoutMs: between(100, limits.callMsMax),
  methods: (value) =>
    Array.isArray(value) && value.length > 0 && value.length <= limits.methodPatternsMax
      ? value.map(methodFault).find((fault) => fault !== undefined)
      : `is a list of 1 to ${limits.methodPatternsMax} patterns`,
  openTo: (value) => (value === 'users' || value === 'everybody' ? undefined : 'is "users" or "everybody"'),
};

function methodFault(text: unknown): string | undefined {
  const checked = typeof text === 'string' ? checkPattern(text) : err('A pattern is a text.');
  return checked.ok ? undefined : `is not right: ${checked.error}`;
}

export function checkService(value: unknown): Result<Service, string> {
  const problem = problemOf(value, serviceChecks);
  if (problem !== undefined) return err(`A service ${problem}.`);
  const { type, url, methods } = value as Partial<Service>;
  return type && url !== undefined && methods
    ? ok(value as Service)
    : err('A service has a "type": "http", a "url", and "methods".');
}

/** A method's name has the grammar of a channel's, and none is the system's. */
export function checkMethod(name: string): string | undefined {
  const isName = name.length <= limits.methodNameBytesMax && !isSystemChannel(name);
  return isName && parseChannelName(name).ok ? undefined : methodGrammar;
}

const methodGrammar =
  `A method's name has 1 to ${limits.methodNameBytesMax} of A-Z, a-z, 0-9 and ._~@+=- in segments joined by ":"; ` +
  'percent-encode other characters, in upper case.';

export interface NamedService {
  /** In the settings of the hub. */
  readonly name: string;
  readonly service: Service;
}

/** All services of a hub, compiled. */
export class Services {
  readonly #named = new Map<string, NamedService>();
  /** Patterns, the most specific first. */
  readonly #others: readonly { readonly pattern: Patterns; readonly of: NamedService }[];

  constructor(services: Readonly<Record<string, Service>> = {}) {
    const all = Object.entries(services)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, service]) => service.methods.map((text) => ({ text, of: { name, service } })));
    for (const { text, of } of all) if (isName(text) && !this.#named.has(text)) this.#named.set(text, of);
    this.#others = all
      .filter(({ text }) => !isName(text))
      .sort((a, b) => compareSpecific(a.text, b.text))
      .map(({ text, of }) => ({ pattern: new Patterns([text]), of }));
  }

  /** The one whose pattern is the most specific that the method matches. */
  find(method: string): NamedService | undefined {
    return this.#named.get(method) ?? this.#others.find(({ pattern }) => pattern.matches(method))?.of;
  }
}

const isName = (pattern: string) => !/[*#]/.test(pattern);

/** Below 0: `a` is the more specific one: more stands before its first "*" or "#"; else it has no "*"; else more of it stands for
 *  itself. Of equal ones (0) that counts whose service comes first by name. */
function compareSpecific(a: string, b: string): number {
  const beginning = (text: string): number => text.search(/[*#]/);
  const stars = (text: string): number => (text.includes('*') ? 1 : 0);
  const fixed = (text: string): number => text.replaceAll(/[*#]/g, '').length;
  return beginning(b) - beginning(a) || stars(a) - stars(b) || fixed(b) - fixed(a);
}
