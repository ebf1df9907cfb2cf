/** Reads what homes say to each other after an absence. */
import type { ChannelRef, StoreId, WriterId } from '../base/ids.js';
import type { PeerMessage, Statement } from './messages.js';
import type { PeerReader } from './wire-reader.js';

interface Held {
  readonly ref: ChannelRef;
  readonly have: Map<WriterId, number>;
}

export function readAskArrived(reader: PeerReader): PeerMessage {
  const numbers = { session: 0, after: 0 };
  let store: StoreId | undefined;
  const others: WriterId[] = [];
  reader.nested((tag) => {
    if (tag === 0x08) numbers.session = reader.varint();
    else if (tag === 0x12) store = reader.storeId();
    else if (tag === 0x18) numbers.after = reader.varint();
    else if (tag === 0x22) {
      reader.item();
      others.push(reader.writer());
    } else return false;
    return true;
  });
  return { type: 'askArrived', ...numbers, ...(store === undefined ? {} : { store }), others };
}

export function readArrived(reader: PeerReader): PeerMessage {
  const numbers = { session: 0, after: 0, through: 0 };
  const flags = { more: false, unknown: false };
  const channels: Held[] = [];
  let statement: Statement | undefined;
  reader.nested((tag) => {
    if (tag === 0x08) numbers.session = reader.varint();
    else if (tag === 0x10) numbers.after = reader.varint();
    else if (tag === 0x18) numbers.through = reader.varint();
    else if (tag === 0x20) flags.more = reader.varint() !== 0;
    else if (tag === 0x28) flags.unknown = reader.varint() !== 0;
    else if (tag === 0x32) channels.push(readHeld(reader));
    else if (tag === 0x3a) statement = readStatement(reader);
    else return false;
    return true;
  });
  if (!statement) reader.fail();
  return { type: 'arrived', ...numbers, ...flags, channels, statement: statement! };
}

export function readReminded(reader: PeerReader): PeerMessage {
  let statement: Statement | undefined;
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    statement = readStatement(reader);
    return true;
  });
  if (!statement) reader.fail();
  return { type: 'reminded', statement: statement! };
}

/** A channel and what is held of it. */
export function readHeld(reader: PeerReader): Held {
  reader.item();
  let ref: ChannelRef | undefined;
  const have = new Map<WriterId, number>();
  reader.nested((tag) => {
    if (tag === 0x0a) ref = reader.ref();
    else if (tag === 0x12) reader.into(have);
    else return false;
    return true;
  });
  if (!ref) reader.fail();
  return { ref: ref!, have };
}

function readStatement(reader: PeerReader): Statement {
  let storeId = '' as StoreId;
  let commits = 0;
  let writer = '' as WriterId;
  let other: WriterId | undefined;
  let seal = '';
  reader.nested((tag) => {
    if (tag === 0x0a) storeId = reader.storeId();
    else if (tag === 0x10) commits = reader.varint();
    else if (tag === 0x1a) writer = reader.writer();
    else if (tag === 0x22) other = reader.writer();
    else if (tag === 0x2a) seal = reader.storeId();
    else return false;
    return true;
  });
  if (storeId === '' || writer === '' || seal === '') reader.fail();
  return { storeId, commits, writer, ...(other === undefined ? {} : { other }), seal };
}
