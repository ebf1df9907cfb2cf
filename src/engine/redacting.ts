/** Whether an entry may be redacted: asked where the request comes in, which reads it, and again where it is stamped. */
import { type Dot, dotText } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { EntryKind } from '../log/entry.js';
import { RecordWalk, recordKind } from '../log/record-layout.js';
import { isRedactable } from '../log/redaction.js';
import { type Failure, failure } from '../protocol/errors.js';
import { included } from './including.js';
import { reasonOf } from './missing.js';
import type { Scan } from './scan.js';

/** It is committed, there, and a message or a notification. */
export async function mayBeRedacted(scan: Scan, dot: Dot): Promise<Result<void, Failure>> {
  const lost = await included(scan, dot);
  if (!lost.ok) return lost;
  if (lost.value.length > 0) return err(notFound(scan.log, dot));
  const gone = goneAs(scan.log, dot);
  if (gone) return err(gone);
  const range = { writer: dot.writer, firstSeq: dot.seq, count: 1 };
  const { slices, missing } = await scan.logs.read(scan.ref, [range], limits.replayChunkBytes);
  const [slice] = slices;
  if (!slice) {
    const [reason] = missing.map((each) => reasonOf(scan.log, each));
    if (reason && reason !== 'damaged') return err(removed(scan.log, dot));
    return err(failure('UNAVAILABLE', { channel: scan.ref.channel, retryAfterMs: 1000 }));
  }
  const walk = new RecordWalk(slice.records);
  const kind = walk.next() ? recordKind(slice.records, walk.bodyStart, walk.end) : undefined;
  return isRedactable(kind) ? ok(undefined) : err(wrongKind(scan.log, dot, kind));
}

/** Why its content cannot be taken out of this log; `undefined` where it can. */
export function unredactable(log: ChannelLog, dot: Dot): Failure | undefined {
  const gone = log.have(dot.writer) < dot.seq ? notFound(log, dot) : goneAs(log, dot);
  if (gone || log.redactions.size < limits.redactionsMax) return gone;
  return failure('OVERLOADED', {
    channel: log.ref.channel,
    message: `A channel has at most ${limits.redactionsMax} redacted messages. Let retention remove old ones, or delete the channel.`,
  });
}

function goneAs(log: ChannelLog, { writer, seq }: Dot): Failure | undefined {
  const isGone = seq <= (log.writer(writer)?.goneThrough ?? 0) || log.generation.isDeleted({ writer, seq });
  return isGone ? removed(log, { writer, seq }) : undefined;
}

function notFound({ ref }: ChannelLog, dot: Dot): Failure {
  const message = `There is no message ${dotText(dot)} in this channel. Take the id from the message, or from its ack.`;
  return failure('NOT_FOUND', { channel: ref.channel, message });
}

function removed({ ref }: ChannelLog, dot: Dot): Failure {
  const message = `${dotText(dot)} was removed already, by retention or with its channel: nothing is left to redact.`;
  return failure('NOT_FOUND', { channel: ref.channel, message });
}

function wrongKind({ ref }: ChannelLog, dot: Dot, kind: EntryKind | undefined): Failure {
  const what =
    kind === 'patch'
      ? 'is a change of a document, which is made of all its changes: change what it says, or delete the document'
      : `is an entry of kind "${kind ?? 'unknown'}"; messages and notifications can be redacted`;
  return failure('INVALID', { channel: ref.channel, message: `${dotText(dot)} ${what}.` });
}
