/** Receipts: up to which entry of a channel a reader has received, and read. Each is a timestamp of the log and stands for all that
 *  is stamped no later, so that what is kept grows with readers and not with messages. They are members of a document by the
 *  reader's id, and rise only. */
import { type Result, err } from '../base/result.js';
import { channelNameBytesMax } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { checkRequest } from './requests.js';

export interface Receipt {
  /** Timestamps of the log. */
  readonly received: number;
  readonly read?: number;
}

export interface ReceiptRequest {
  readonly channel: string;
  readonly received?: number;
  /** What was read was received too. */
  readonly read?: number;
}

const timestamp = (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'is a timestamp of an entry';

export function checkReceiptRequest(value: unknown): Result<ReceiptRequest, string> {
  const checked = checkRequest<ReceiptRequest>(value, {
    channel: (text) =>
      typeof text === 'string' && text.length <= channelNameBytesMax ? undefined : 'is the name of a channel',
    received: timestamp,
    read: timestamp,
  });
  if (!checked.ok) return checked;
  const { channel, received, read } = checked.value;
  if (channel === undefined) return err('A receipt is of a "channel".');
  return received === undefined && read === undefined
    ? err('A receipt says what was "received", "read", or both.')
    : checked;
}

export interface ReceiptPatch {
  /** RFC 6902. */
  readonly operations: readonly object[];
  /** It is for that very version of the document; else it tests what it replaces. */
  readonly isOfVersion: boolean;
}

/** What makes it so; `undefined` where it is so already. `document`: canonical JSON, null before the first receipt. `isGone`: of users
 *  that are no readers any more. */
export function receiptPatch(
  document: string,
  user: string,
  { received = 0, read }: Pick<ReceiptRequest, 'received' | 'read'>,
  isGone: (user: string) => boolean,
): ReceiptPatch | undefined {
  const receipts = JSON.parse(document) as Readonly<Record<string, Receipt>> | null;
  const before = receipts && Object.hasOwn(receipts, user) ? receipts[user]! : undefined;
  const readNow = Math.max(before?.read ?? 0, read ?? 0);
  const value: Receipt = {
    received: Math.max(before?.received ?? 0, received, readNow),
    ...(readNow > 0 ? { read: readNow } : {}),
  };
  if (value.received === before?.received && value.read === before.read) return undefined;
  const path = pathOf(user);
  if (before)
    return {
      operations: [
        { op: 'test', path, value: before },
        { op: 'replace', path, value },
      ],
      isOfVersion: false,
    };
  if (!receipts)
    return { operations: [{ op: 'replace', path: '', value: { [user]: value } }], isOfVersion: true };
  // Who comes makes room for it: there are no more than readers, and who came since the last one did.
  const gone = Object.keys(receipts)
    .filter(isGone)
    .slice(0, limits.patchOperationsMax - 1);
  const removals = gone.map((each) => ({ op: 'remove', path: pathOf(each) }));
  return { operations: [...removals, { op: 'add', path, value }], isOfVersion: true };
}

/** RFC 6901. */
function pathOf(user: string): string {
  return `/${user.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
