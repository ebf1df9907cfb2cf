/** What readers ask of documents: the state now or at an earlier place, and what changed between two. */
import { type ChannelRef, dotText } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import { type Result, err, ok } from '../../base/result.js';
import { Fault } from '../../documents/faults.js';
import { ifVersionHeader, patchText } from '../../documents/fold.js';
import { readPatch } from '../../documents/patch.js';
import { encodeCursor } from '../../log/cursor.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { DocumentGetMessage, DocumentState } from '../../protocol/messages.js';
import type { Session } from '../../sessions/session.js';
import type { ActiveChannel } from '../active-channel.js';
import type { DocumentChange, DocumentChanges, DocumentChangesQuery } from '../api.js';
import type { Core } from '../core.js';
import { scanOf } from '../scan.js';
import { scanStart } from '../start-position.js';
import type { Fold } from '../../documents/fold.js';
import { FoldBrokenError, FoldUnreadableError, type Visited } from '../folds/log-fold.js';
import { onlyOfKind } from '../folds/only-of-kind.js';

export async function documentState(
  core: Core,
  channel: ActiveChannel,
  { cursor, atUnixMs }: DocumentGetMessage,
): Promise<Result<DocumentState, Failure>> {
  const wrong = onlyOfKind('document', channel.ref);
  if (wrong) return err(wrong);
  return await readable(channel, async () => {
    const place = cursor ?? atUnixMs;
    const { log, ref } = channel;
    // Just started, with nothing known to be committed of what is held: it is not the empty document.
    if (place === undefined && log.endPosition === 0 && !log.isEmpty) return unsettled(ref);
    const at =
      place === undefined
        ? ok((await core.documents.current(channel)).position)
        : await placeBehind(core, channel, place);
    return at.ok ? ok(await stateAt(core, channel, at.value)) : at;
  });
}

/** Of a cursor the first place that has all it covers: a document that lacks some of that is none of its reader's. */
async function placeBehind(
  core: Core,
  channel: ActiveChannel,
  place: Uint8Array | number,
): Promise<Result<number, Failure>> {
  const start = await scanStart(scanOf(core, channel), place);
  if (!start.ok) return start;
  const { reader, log } = start.value;
  const position = reader.placeBehind(log);
  return position === undefined ? unsettled(channel.ref) : ok(position);
}

/** What is held is not all known to be in the order yet. */
function unsettled({ channel }: ChannelRef): Result<never, Failure> {
  return err(failure('UNAVAILABLE', { channel, retryAfterMs: 200 }));
}

/** As a reader has it who has exactly what lies before `position`. */
async function stateAt(core: Core, channel: ActiveChannel, position: number): Promise<DocumentState> {
  const { ref, log } = channel;
  const fold = await core.documents.before(channel, position);
  // A channel that is followed may have got another node's log meanwhile: there the position is another place.
  if (channel.log !== log) throw new FoldUnreadableError('Its log is read elsewhere now.');
  const cursor = encodeCursor(ref, log.headsAt(position));
  return { channel: ref.channel, ...core.documents.describe(fold, channel.rules), cursor };
}

/** False where it cannot be read now. */
export async function rebase(
  core: Core,
  session: Session,
  channel: ActiveChannel,
  position: number,
): Promise<boolean> {
  const state = await readable(channel, async () => ok(await stateAt(core, channel, position)));
  if (state.ok && !planted('rebase-untold')) session.send(0, { type: 'rebase', ...state.value });
  return state.ok;
}

export async function documentChanges(
  core: Core,
  channel: ActiveChannel,
  { since, until, limit = limits.historyEntriesDefault }: DocumentChangesQuery,
): Promise<Result<DocumentChanges, Failure>> {
  const wrong = onlyOfKind('document', channel.ref);
  if (wrong) return err(wrong);
  return await readable(channel, async () => {
    const first = Math.max(channel.log.firstPosition, channel.log.generation.start);
    const from = since === undefined ? ok(first) : await positionOf(core, channel, since);
    if (!from.ok) return from;
    const to = await positionOf(core, channel, until);
    if (!to.ok) return to;
    const changes: DocumentChange[] = [];
    let position = from.value;
    let isMore = false;
    await core.documents.visit(channel, from.value, (visited) => {
      const isBounded = changes.length >= limit || visited.position - from.value >= limits.changesScanMax;
      isMore = isBounded && visited.position < to.value;
      if (isBounded || visited.position >= to.value) return false;
      position = visited.position + 1;
      if (visited.entry.kind === 'patch') changes.push(changeOf(visited));
      return true;
    });
    const cursor = encodeCursor(channel.ref, channel.log.headsAt(position));
    return ok({ changes, cursor, more: isMore });
  });
}

function changeOf({ entry, fold, fault }: Visited<Fold>): DocumentChange {
  const { actor, timestamp, content } = entry;
  const text = content && !(readPatch(content.payload) instanceof Fault) ? patchText(content) : undefined;
  const ifVersion = content?.headers?.get(ifVersionHeader);
  return {
    id: dotText(entry),
    timestamp,
    version: fold.version,
    ...(actor === undefined ? {} : { actor }),
    ...(text === undefined ? {} : { patch: text }),
    ...(ifVersion === undefined ? {} : { ifVersion: Number(ifVersion) }),
    ...(fault ? { fault } : {}),
  };
}

/** Of a cursor what it covers, of a time what was stamped before; else the end. */
export async function positionOf(
  core: Core,
  channel: ActiveChannel,
  place: Uint8Array | number | undefined,
): Promise<Result<number, Failure>> {
  if (place === undefined) return ok(channel.log.endPosition);
  const start = await scanStart(scanOf(core, channel), place);
  if (!start.ok) return start;
  const { log } = channel;
  // Settles what was had beyond the order.
  start.value.reader.isAtEnd(log);
  return ok(Math.min(start.value.reader.position, log.endPosition));
}

export async function readable<T>(
  { ref }: ActiveChannel,
  read: () => Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof FoldUnreadableError)) throw error;
    if (error instanceof FoldBrokenError) return err(error.failure);
    const { channel } = ref;
    const { message, isGone } = error;
    return err(
      isGone
        ? failure('NOT_FOUND', { channel, message })
        : failure('UNAVAILABLE', { channel, message, retryAfterMs: 1000 }),
    );
  }
}
