/** What applications hand in, checked. */
import { type ChannelName, channelNameFor, parseChannelName } from '../base/ids.js';
import { failure } from '../protocol/errors.js';
import { serverError } from './error.js';

/** Characters a name cannot have are percent-encoded; throws RinglogError for what cannot be a name even so. */
export function nameOf(channel: string): ChannelName {
  const name = parseChannelName(channelNameFor(channel));
  if (!name.ok) throw serverError(failure('BAD_NAME', { message: name.error, channel }));
  return name.value;
}

/** What is said in JSON; `undefined` for nothing. Throws RinglogError for what JSON has no form for. */
export function jsonText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined) return text;
  throw serverError(failure('INVALID', { message: 'A function or symbol has no form in JSON.' }));
}
