/** Entries of a log query in JSON: as clients see them, and the size of the record. */
import { dotText } from '../base/ids.js';
import type { Entry, Trim } from '../log/entry.js';
import { contentToJson } from '../protocol/content-json.js';
import { timeToJson } from '../protocol/entry-json.js';

/** One line: a payload may have been published as JSON over several. */
export function logEntryToJson(entry: Entry, bytes: number): string {
  const members = [`"id":"${dotText(entry)}"`, timeToJson(entry.timestamp), `"kind":"${entry.kind}"`];
  if (entry.round !== 0) members.push(`"round":${entry.round}`);
  if (entry.actor) members.push(`"actor":${JSON.stringify(entry.actor)}`);
  if (entry.idempotencyKey) members.push(`"idempotencyKey":${JSON.stringify(entry.idempotencyKey)}`);
  if (entry.publisher) members.push(`"publisher":${JSON.stringify(entry.publisher)}`);
  if (entry.retain) members.push('"retain":true');
  if (entry.push) members.push('"push":true');
  if (entry.createParents) members.push('"createParents":true');
  if (entry.content) members.push(...contentToJson(entry.content));
  if (entry.parents && entry.parents.length > 0) {
    members.push(`"parents":${JSON.stringify(entry.parents.map(dotText))}`);
  }
  if (entry.trim) members.push(`"trim":${trimToJson(entry.trim)}`);
  if (entry.lost) members.push(`"lost":${JSON.stringify(entry.lost)}`);
  if (entry.redacted) members.push('"redacted":true');
  if (entry.redacts) members.push(`"redacts":"${dotText(entry.redacts)}"`);
  members.push(`"bytes":${bytes}`);
  return onOneLine(`{${members.join(',')}}`);
}

function trimToJson({ through, floors, round, forced }: Trim): string {
  const floorTexts = [...floors].map(([writer, seq]) => dotText({ writer, seq }));
  return JSON.stringify({
    through: dotText(through),
    floors: floorTexts,
    round,
    ...(forced && { lossy: true }),
  });
}

/** In JSON, line breaks are between tokens only: inside a text they are escaped. */
export function onOneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replaceAll(/[\r\n]/g, ' ') : json;
}
