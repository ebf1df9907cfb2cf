/** Content in the JSON form: spread into its parent, the payload as `data` where it is text or JSON, else `dataBase64`.
 *
 *  What `data` means follows from `contentType` alone, both ways: with a JSON type it is the value, with a text type
 *  (or none) a string. A publish that names no type gets one by its data: a string is text, anything else JSON. */
import { toBase64Url, utf8 } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import type { Content, Extras } from '../log/entry.js';
import { isJsonType, isTextType, jsonType } from './content-type.js';
import { type JsonMembers } from './json-members.js';
import { isNestedWithin } from './json-text.js';
import { textOf } from './wire.js';

/** Reads the content out of a publish. `dataText`: the text of its `data`, asked for only where the value would not
 *  do. What is wrong is told to `members`. */
export function contentFromJson(members: JsonMembers, dataText: () => string): Content {
  const event = members.text('event');
  const contentType = members.text('contentType');
  const headers = headersFromJson(members);
  const extras = extrasFromJson(members);
  const signature = members.base64('signature');
  const { payload, type } = payloadFromJson(members, contentType ?? '', dataText);
  return {
    payload,
    ...(event === undefined ? undefined : { event }),
    ...(type === '' ? undefined : { contentType: type }),
    ...(headers === undefined ? undefined : { headers }),
    ...(extras === undefined ? undefined : { extras }),
    ...(signature === undefined ? undefined : { signature }),
  };
}

export interface TypedPayload {
  readonly payload: Uint8Array;
  readonly type: string;
}

export function payloadFromJson(
  members: JsonMembers,
  contentType: string,
  dataText: () => string,
): TypedPayload {
  const bytes = members.base64('dataBase64');
  if (!members.has('data')) return { payload: bytes ?? new Uint8Array(0), type: contentType };
  if (bytes !== undefined) members.refuse('Give "data" or "dataBase64", not both.');
  const isText = typeof members.get('data') === 'string';
  if (isJsonType(contentType)) return { payload: utf8(dataText()), type: contentType };
  if (isText) return { payload: utf8(members.text('data') ?? ''), type: contentType };
  if (contentType !== '') members.refuse(`"data" must be a string for the type ${contentType}.`);
  return { payload: utf8(dataText()), type: jsonType };
}

function headersFromJson(members: JsonMembers): Map<string, string> | undefined {
  const child = members.child('headers');
  if (child === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const name of Object.keys(child.object)) {
    const value = child.text(name);
    if (value !== undefined) headers.set(name, value);
  }
  if (child.problem !== undefined) members.refuse(`In "headers": ${child.problem}`);
  return headers;
}

function extrasFromJson(members: JsonMembers): Extras | undefined {
  const child = members.child('extras');
  if (child === undefined) return undefined;
  const store = child.flag('store');
  const retain = child.flag('retain');
  const push = child.flag('push');
  if (child.problem !== undefined) members.refuse(`In "extras": ${child.problem}`);
  return {
    ...(store === undefined ? undefined : { store }),
    ...(retain === undefined ? undefined : { retain }),
    ...(push === undefined ? undefined : { push }),
  };
}

/** The members of a content as JSON text, each `"name":value`. */
export function contentToJson(content: Content): string[] {
  const { event, contentType = '', payload, headers, extras, signature } = content;
  const members: string[] = [];
  if (event) members.push(`"event":${JSON.stringify(event)}`);
  if (contentType !== '') members.push(`"contentType":${JSON.stringify(contentType)}`);
  members.push(payloadToJson(contentType, payload));
  if (headers && headers.size > 0) members.push(`"headers":${textMap(headers)}`);
  if (extras) members.push(`"extras":${JSON.stringify(extras)}`);
  if (signature && signature.length > 0) members.push(`"signature":"${toBase64Url(signature)}"`);
  return members;
}

/** Its payload as a member: `data` where its type and what it is allow that, else `dataBase64`. */
export function payloadToJson(contentType: string, payload: Uint8Array): string {
  const text = isTextType(contentType) ? textOf(payload) : undefined;
  if (text !== undefined) return `"data":${JSON.stringify(text)}`;
  const json = isJsonType(contentType) ? jsonOf(payload) : undefined;
  return json === undefined ? `"dataBase64":"${toBase64Url(payload)}"` : `"data":${json}`;
}

/** The payload as JSON to put into a frame unchanged, if it is JSON that a reader of the frame can take. */
function jsonOf(payload: Uint8Array): string | undefined {
  if (!isNestedWithin(limits.jsonDepthMax, payload)) return undefined;
  const text = textOf(payload);
  if (text === undefined) return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

// Not by way of an object: a header may be called "__proto__".
function textMap(map: ReadonlyMap<string, string>): string {
  const members = [...map].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${members.join(',')}}`;
}
