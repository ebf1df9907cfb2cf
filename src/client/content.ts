/** What an application publishes, as content. */
import { utf8 } from '../base/bytes.js';
import type { Content, Extras } from '../log/entry.js';
import { binaryType, isJsonType, jsonType } from '../protocol/content-type.js';
import { RinglogError } from './error.js';
import type { PublishOptions } from './options.js';

/** A string is text, bytes are bytes, nothing is nothing, anything else is JSON; with a content type that is JSON a
 *  string is JSON too. Throws RinglogError for what JSON cannot say. */
export function contentOf(data: unknown, options: PublishOptions): Content {
  const { payload, fittingType } = payloadOf(data, options.contentType);
  const contentType = options.contentType ?? fittingType;
  const headers = headersOf(options.headers);
  const extras = extrasOf(options);
  return {
    payload,
    ...(options.event === undefined ? undefined : { event: options.event }),
    ...(contentType === undefined ? undefined : { contentType }),
    ...(headers.size === 0 ? undefined : { headers }),
    ...(extras === undefined ? undefined : { extras }),
    ...(options.signature === undefined ? undefined : { signature: options.signature }),
  };
}

function payloadOf(data: unknown, contentType = ''): { payload: Uint8Array; fittingType?: string } {
  if (data === undefined) return { payload: new Uint8Array(0) };
  if (data instanceof Uint8Array) return { payload: data, fittingType: binaryType };
  if (data instanceof ArrayBuffer) return { payload: new Uint8Array(data), fittingType: binaryType };
  if (typeof data === 'string' && !isJsonType(contentType)) {
    if (loneSurrogate.test(data)) throw invalid('The text has half of a surrogate pair.');
    return { payload: utf8(data) };
  }
  const json = jsonOf(data);
  if (json === undefined) throw invalid('This cannot be written as JSON.');
  return { payload: utf8(json), fittingType: jsonType };
}

// UTF-8 cannot say it: it would be read as another character.
const loneSurrogate = /\p{Surrogate}/u;

function invalid(message: string): RinglogError {
  return new RinglogError({ code: 'INVALID', outcome: 'rejected', message });
}

function jsonOf(data: unknown): string | undefined {
  try {
    return JSON.stringify(data) as string | undefined;
  } catch {
    return undefined;
  }
}

function headersOf(headers: PublishOptions['headers']): ReadonlyMap<string, string> {
  if (headers === undefined) return new Map();
  return headers instanceof Map ? headers : new Map(Object.entries(headers as Record<string, string>));
}

function extrasOf({ store, retain, push }: PublishOptions): Extras | undefined {
  if (store === undefined && retain === undefined && push === undefined) return undefined;
  return {
    ...(store === undefined ? undefined : { store }),
    ...(retain === undefined ? undefined : { retain }),
    ...(push === undefined ? undefined : { push }),
  };
}
