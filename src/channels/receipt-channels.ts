/** Where it stands up to which entry of a channel each reader has received and read: a document, `receipts:` and the channel. */
import { kindOf } from './kinds.js';

const prefix = 'receipts:';

export function receiptsChannelOf(channel: string): string {
  return prefix + channel;
}

/** The channel that these are the receipts of; `undefined` for a channel that holds none. */
export function receiptsOf(channel: string): string | undefined {
  return channel.startsWith(prefix) ? channel.slice(prefix.length) : undefined;
}

/** Whether there may be any: who reads there is known. */
export function mayHaveReceipts(channel: string): boolean {
  const kind = kindOf(channel);
  return kind === 'user' || kind === 'group';
}
