/** What changed a document between two places of its order, void changes too. */
import { Fault } from '../documents/faults.js';
import { type Fold, foldEntry } from '../documents/fold.js';
import { readJsonText } from '../documents/json-reader.js';
import type { Client } from './client.js';
import { errorOf } from './document-error.js';
import type { DocumentOptions, DocumentSnapshot, PatchOperation } from './documents.js';
import { ownError } from './error.js';
import type { Message } from './message.js';

export interface DocumentChange {
  readonly id: string;
  readonly time: Date;
  /** Absent for an anonymous publisher. */
  readonly actor: string | undefined;
  /** Of the document behind it. */
  readonly version: number;
  /** `undefined` where it was taken out of the log since. */
  readonly patch: readonly PatchOperation[] | undefined;
  /** It does not apply where the order has it, and changes nothing: why, and which of its operations. */
  readonly void?: { readonly reason: string; readonly message: string; readonly operation?: number };
}

export interface ChangesOptions {
  /** Behind this place: a cursor, or a time. */
  readonly since: NonNullable<DocumentOptions['at']>;
  /** Before this one; up to now without it. */
  readonly until?: DocumentOptions['at'];
}

/** In their order, a page at a time. Throws RinglogError: NOT_FOUND or GAP where retention has removed what is between. */
export async function* changesOf(
  client: Client,
  channel: string,
  { since, until }: ChangesOptions,
): AsyncGenerator<DocumentChange, void, undefined> {
  const from = await client.document(channel, { at: since });
  const to = await client.document(channel, until === undefined ? {} : { at: until });
  const history = client.history(channel, { cursor: from.cursor });
  let fold = foldOf(channel, from);
  while (history.more && countOf(fold) < countOf(to)) {
    const { entries, gaps } = await history.page();
    // What no home can read is passed over, by who folds it there too.
    if (gaps.some(({ reason }) => reason !== 'lost' && reason !== 'damaged'))
      throw ownError('GAP', 'rejected', channel);
    for (const message of entries) {
      if (message.kind !== 'patch') continue;
      if (countOf(fold) >= countOf(to)) return;
      const step = foldEntry(fold, message.entry);
      ({ fold } = step);
      yield changeOf(message, fold.version, step.fault);
    }
  }
}

function changeOf(message: Message, version: number, fault: Fault | undefined): DocumentChange {
  const { id, time, actor } = message;
  const patch = Array.isArray(message.data) ? (message.data as PatchOperation[]) : undefined;
  return { id, time, actor, version, patch, ...(fault && { void: voidOf(fault) }) };
}

function voidOf({ code: reason, message, operation }: Fault): NonNullable<DocumentChange['void']> {
  return { reason, message, ...(operation !== undefined && { operation }) };
}

function foldOf(channel: string, { text, version, voids }: DocumentSnapshot): Fold {
  const document = readJsonText(text);
  if (document instanceof Fault) throw errorOf(channel, document);
  return { document, version, voids };
}

function countOf({ version, voids }: Pick<Fold, 'version' | 'voids'>): number {
  return version + voids;
}
