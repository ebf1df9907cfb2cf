/** What a notification says, as its entry has it: a JSON object with a title, and beside it what else there is to say. */
import { utf8 } from '../base/bytes.js';
import { notificationLimits as limits, severities } from '../base/notification-limits.js';
import { type Result, err, ok } from '../base/result.js';
import { Fault } from '../documents/faults.js';
import { readJson } from '../documents/json-reader.js';
import { Dict, type Json, Text } from '../documents/value.js';

/** As far as the fold goes by it; whoever shows it reads the rest. */
export interface NotificationFacts {
  /** Unix milliseconds. */
  readonly expiresAtMs: number | undefined;
}

const members: ReadonlySet<string> = new Set(['title', 'body', 'data', 'severity', 'expiresAt']);

/** Expects JSON text: {title, body?, data?, severity?, expiresAt?}. The sentence says what is wrong. */
export function readNotification(payload: Uint8Array): Result<NotificationFacts, string> {
  if (payload.length > limits.notificationBytesMax)
    return err(`A notification has at most ${limits.notificationBytesMax} bytes of JSON.`);
  const value = readJson(payload);
  if (value instanceof Fault) return err(value.message);
  if (!(value instanceof Dict)) return err('A notification is a JSON object with a "title".');
  for (const [name] of value)
    if (!members.has(name))
      return err(
        `A notification has title, body, data, severity and expiresAt; "${name.slice(0, 32)}" is none.`,
      );
  const title = textIn(value.get('title'));
  if (title === undefined || title === '') return err('"title" is a text that is not empty.');
  if (utf8(title).length > limits.notificationTitleBytesMax)
    return err(`"title" has at most ${limits.notificationTitleBytesMax} bytes.`);
  if (value.has('body') && textIn(value.get('body')) === undefined) return err('"body" is a text.');
  const severity = value.get('severity');
  if (severity !== undefined && !severities.some((each) => each === textIn(severity)))
    return err(`"severity" is one of ${severities.join(', ')}.`);
  const expiresAtMs = value.get('expiresAt');
  if (expiresAtMs !== undefined && !isUnixMs(expiresAtMs))
    return err('"expiresAt" is a time in Unix milliseconds.');
  return ok({ expiresAtMs });
}

export function isUnixMs(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= unixMsMax;
}

/** Timestamps hold no later one. */
const unixMsMax = 3_900_000_000_000;

export function textIn(value: Json | undefined): string | undefined {
  return value instanceof Text ? value.toString() : typeof value === 'string' ? value : undefined;
}
