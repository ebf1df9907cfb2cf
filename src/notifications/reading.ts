/** What an entry of the kind `read` says: which notifications were read. */
import { type Dot, parseDot } from '../base/ids.js';
import { notificationLimits as limits } from '../base/notification-limits.js';
import { type Result, err, ok } from '../base/result.js';
import { Fault } from '../documents/faults.js';
import { readJson } from '../documents/json-reader.js';
import { Dict, List } from '../documents/value.js';
import { isUnixMs, textIn } from './notification.js';

export type Reading =
  | { readonly type: 'ids'; readonly ids: readonly Dot[] }
  /** All that were created at that time or before; Unix milliseconds. */
  | { readonly type: 'until'; readonly unixMs: number }
  /** None: by its own timestamp it says that this much time has passed. */
  | { readonly type: 'time' };

/** Expects JSON text: {"ids": […]}, {"until": Unix milliseconds} or {"time": true}. The sentence says what is wrong. */
export function readReading(payload: Uint8Array): Result<Reading, string> {
  const value = readJson(payload);
  if (value instanceof Fault) return err(value.message);
  if (!(value instanceof Dict) || value.size !== 1) return err(form);
  const until = value.get('until');
  if (until !== undefined)
    return isUnixMs(until)
      ? ok({ type: 'until', unixMs: until })
      : err('"until" is a time in Unix milliseconds.');
  if (value.get('time') === true) return ok({ type: 'time' });
  return readIds(value);
}

const form = 'What was read is {"ids": […]} or {"until": …}.';

function readIds(value: Dict): Result<Reading, string> {
  const list = value.get('ids');
  if (!(list instanceof List)) return err(form);
  if (list.length === 0 || list.length > limits.notificationsReadMax)
    return err(`"ids" are 1 to ${limits.notificationsReadMax} ids of notifications.`);
  const ids: Dot[] = [];
  for (const item of list) {
    const dot = parseDot(textIn(item) ?? '');
    if (!dot.ok) return err(`"ids": ${dot.error}`);
    ids.push(dot.value);
  }
  return ok({ type: 'ids', ids });
}
