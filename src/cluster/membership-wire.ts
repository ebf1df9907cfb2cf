/** Packets and syncs as bytes: the messages of proto/membership.proto, written by hand and held to that file by a test.
 *
 *  Decoding trusts nothing: sizes, ids, numbers and addresses are checked, unknown fields passed over, and whatever is
 *  wrong makes the whole `malformed`. No input makes it throw, or do more than one pass over the bytes. */
import { ByteWriter, fromHex, toHex, varintLength } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { FieldReader, writeVarintField } from '../base/protobuf.js';
import { type Result, err, ok } from '../base/result.js';
import {
  type Alive,
  type BootId,
  type MemberState,
  type Profile,
  type Statement,
  isProfile,
  memberStates,
  roles,
} from './member.js';
import type { Message, Packet, Sender, Sync } from './packet.js';

export type MembershipWireFault = 'malformed' | 'too-large';

const nodeBytes = 16;
const bootBytes = 8;
/** Tag, length and content of an id. */
const nodeFieldBytes = 2 + nodeBytes;
const bootFieldBytes = 2 + bootBytes;

const varintTag = (field: number): number => field * 8;
const bytesTag = (field: number): number => field * 8 + 2;

/** Fields of the sender in packets and syncs. */
const senderFields = { from: bytesTag(1), boot: bytesTag(2), incarnation: varintTag(3) } as const;
const toTag = bytesTag(4);
const messageTags = { ping: bytesTag(5), ack: bytesTag(6), nack: bytesTag(7), 'ping-request': bytesTag(8) };
const newsTag = bytesTag(9);
const syncStatementsTag = bytesTag(4);
const seqTag = varintTag(1);
const targetTag = bytesTag(2);
const statementTags = {
  state: varintTag(1),
  node: bytesTag(2),
  boot: bytesTag(3),
  incarnation: varintTag(4),
  accuser: bytesTag(5),
  profile: bytesTag(6),
} as const;
const profileTags = {
  peerAddress: bytesTag(1),
  clientAddresses: bytesTag(2),
  role: varintTag(3),
  ringVersion: varintTag(4),
  load: varintTag(5),
  settled: varintTag(6),
} as const;

/** Bytes of a packet without news, at most: sender, receiver, and the longest message. */
export const packetHeadBytesMax =
  nodeFieldBytes + bootFieldBytes + 6 + nodeFieldBytes + (2 + 6 + nodeFieldBytes);

export function encodePacket(packet: Packet): Uint8Array {
  const out = new ByteWriter(256);
  writeSender(out, packet);
  writeId(out, toTag, packet.to);
  writeMessage(out, packet.message);
  for (const statement of packet.news) writeStatement(out, newsTag, statement);
  return out.bytes();
}

export function encodeSync(sync: Sync): Uint8Array {
  const out = new ByteWriter(4096);
  writeSender(out, sync);
  for (const statement of sync.statements) writeStatement(out, syncStatementsTag, statement);
  return out.bytes();
}

/** Bytes of a statement inside a packet. */
export function statementFieldLength(statement: Statement): number {
  const length = statementLength(statement);
  return 1 + varintLength(length) + length;
}

export function decodePacket(bytes: Uint8Array): Result<Packet, MembershipWireFault> {
  if (bytes.length > limits.gossipPacketBytesMax) return err('too-large');
  const reader = new MembershipReader(bytes);
  const sender = new SenderReader();
  const news: Statement[] = [];
  let to: NodeId | undefined;
  let message: Message = { type: 'gossip' };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === toTag) to = reader.nodeId();
    else if (tag === newsTag) readStatement(reader, news);
    else if (!sender.read(reader, tag)) message = readMessage(reader, tag) ?? message;
  }
  const read = sender.done();
  return reader.failed || !read || !to ? err('malformed') : ok({ ...read, to, message, news });
}

export function decodeSync(bytes: Uint8Array): Result<Sync, MembershipWireFault> {
  if (bytes.length > limits.membershipSyncBytesMax) return err('too-large');
  const reader = new MembershipReader(bytes);
  const sender = new SenderReader();
  const statements: Statement[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === syncStatementsTag) readStatement(reader, statements);
    else if (!sender.read(reader, tag)) reader.skip(tag);
  }
  const read = sender.done();
  return reader.failed || !read ? err('malformed') : ok({ ...read, statements });
}

function writeSender(out: ByteWriter, { from, boot, incarnation }: Sender): void {
  writeId(out, senderFields.from, from);
  writeId(out, senderFields.boot, boot);
  writeNumber(out, senderFields.incarnation, incarnation);
}

function writeMessage(out: ByteWriter, message: Message): void {
  if (message.type === 'gossip') return;
  out.varint(messageTags[message.type]);
  out.varint(numberLength(message.seq) + (message.type === 'ping-request' ? nodeFieldBytes : 0));
  writeNumber(out, seqTag, message.seq);
  if (message.type === 'ping-request') writeId(out, targetTag, message.target);
}

function writeStatement(out: ByteWriter, tag: number, statement: Statement): void {
  out.varint(tag);
  out.varint(statementLength(statement));
  writeNumber(out, statementTags.state, memberStates.indexOf(statement.state));
  writeId(out, statementTags.node, statement.node);
  writeId(out, statementTags.boot, statement.boot);
  writeNumber(out, statementTags.incarnation, statement.incarnation);
  if (statement.state === 'alive') writeProfile(out, statement.profile);
  else if (statement.state !== 'left') writeId(out, statementTags.accuser, statement.accuser);
}

function writeProfile(out: ByteWriter, profile: Profile): void {
  out.varint(statementTags.profile);
  out.varint(profileLength(profile));
  writeAscii(out, profileTags.peerAddress, profile.peerAddress);
  for (const address of profile.clientAddresses) writeAscii(out, profileTags.clientAddresses, address);
  writeNumber(out, profileTags.role, roles.indexOf(profile.role));
  writeNumber(out, profileTags.ringVersion, profile.ringVersion);
  writeNumber(out, profileTags.load, profile.load);
  writeNumber(out, profileTags.settled, profile.settled ? 1 : 0);
}

function writeId(out: ByteWriter, tag: number, id: NodeId | BootId): void {
  const bytes = fromHex(id);
  out.varint(tag);
  out.varint(bytes.length);
  out.raw(bytes);
}

/** Proto3 leaves out what is 0. */
function writeNumber(out: ByteWriter, tag: number, value: number): void {
  if (value !== 0) writeVarintField(out, tag, value);
}

function writeAscii(out: ByteWriter, tag: number, text: string): void {
  out.varint(tag);
  out.varint(text.length);
  for (let i = 0; i < text.length; i++) out.u8(text.charCodeAt(i));
}

function statementLength(statement: Statement): number {
  const head = numberLength(memberStates.indexOf(statement.state)) + numberLength(statement.incarnation);
  const ids = nodeFieldBytes + bootFieldBytes;
  if (statement.state === 'left') return head + ids;
  if (statement.state !== 'alive') return head + ids + nodeFieldBytes;
  const length = profileLength(statement.profile);
  return head + ids + 1 + varintLength(length) + length;
}

function profileLength(profile: Profile): number {
  const { peerAddress, clientAddresses, role, ringVersion, load, settled } = profile;
  let length = textLength(peerAddress) + numberLength(settled ? 1 : 0);
  for (const address of clientAddresses) length += textLength(address);
  return length + numberLength(roles.indexOf(role)) + numberLength(ringVersion) + numberLength(load);
}

const numberLength = (value: number): number => (value === 0 ? 0 : 1 + varintLength(value));
const textLength = (text: string): number => 1 + varintLength(text.length) + text.length;

class MembershipReader extends FieldReader {
  /** Reads a nested message with `read`, which is called for each of its fields. */
  each(read: (tag: number) => void): void {
    const outer = this.enter();
    while (!this.done) read(this.tag());
    this.leave(outer);
  }

  uint32(): number {
    const value = this.varint();
    return value <= limits.incarnationMax ? value : this.fail();
  }

  nodeId(): NodeId {
    return this.#id(nodeBytes) as NodeId;
  }

  bootId(): BootId {
    return this.#id(bootBytes) as BootId;
  }

  #id(size: number): string {
    const bytes = this.take(this.varint());
    if (bytes.length !== size) this.fail();
    return toHex(bytes);
  }

  /** Visible ASCII of bounded length: what it may say is checked with the whole profile. */
  address(): string {
    const bytes = this.take(this.varint());
    if (bytes.length <= limits.addressBytesMax) return String.fromCharCode(...bytes);
    this.fail();
    return '';
  }
}

class SenderReader {
  #from: NodeId | undefined;
  #boot: BootId | undefined;
  #incarnation = 0;

  /** Whether the field was one of the sender's. */
  read(reader: MembershipReader, tag: number): boolean {
    if (tag === senderFields.from) this.#from = reader.nodeId();
    else if (tag === senderFields.boot) this.#boot = reader.bootId();
    else if (tag === senderFields.incarnation) this.#incarnation = reader.uint32();
    else return false;
    return true;
  }

  done(): Sender | undefined {
    if (!this.#from || !this.#boot) return undefined;
    return { from: this.#from, boot: this.#boot, incarnation: this.#incarnation };
  }
}

function readMessage(reader: MembershipReader, tag: number): Message | undefined {
  switch (tag) {
    case messageTags.ping:
      return { type: 'ping', seq: readSeq(reader) };
    case messageTags.ack:
      return { type: 'ack', seq: readSeq(reader) };
    case messageTags.nack:
      return { type: 'nack', seq: readSeq(reader) };
    case messageTags['ping-request']:
      return readPingRequest(reader);
    default:
      reader.skip(tag);
      return undefined;
  }
}

function readSeq(reader: MembershipReader): number {
  let seq = 0;
  reader.each((tag) => {
    if (tag === seqTag) seq = reader.uint32();
    else reader.skip(tag);
  });
  return seq;
}

function readPingRequest(reader: MembershipReader): Message | undefined {
  let seq = 0;
  let target: NodeId | undefined;
  reader.each((tag) => {
    if (tag === seqTag) seq = reader.uint32();
    else if (tag === targetTag) target = reader.nodeId();
    else reader.skip(tag);
  });
  if (target) return { type: 'ping-request', seq, target };
  reader.fail();
  return undefined;
}

/** Adds the statement; one of a state of a later version is passed over. */
function readStatement(reader: MembershipReader, into: Statement[]): void {
  let state = 'alive' as MemberState | undefined;
  let node: NodeId | undefined;
  let boot: BootId | undefined;
  let incarnation = 0;
  let accuser: NodeId | undefined;
  let profile: Profile | undefined;
  reader.each((tag) => {
    if (tag === statementTags.state) state = memberStates[reader.uint32()];
    else if (tag === statementTags.node) node = reader.nodeId();
    else if (tag === statementTags.boot) boot = reader.bootId();
    else if (tag === statementTags.incarnation) incarnation = reader.uint32();
    else if (tag === statementTags.accuser) accuser = reader.nodeId();
    else if (tag === statementTags.profile) profile = readProfile(reader);
    else reader.skip(tag);
  });
  if (!node || !boot) reader.fail();
  else if (state === 'left') into.push({ state, node, boot, incarnation });
  else if (state === 'alive') {
    if (profile) into.push({ state, node, boot, incarnation, profile } satisfies Alive);
    else reader.fail();
  } else if (state) {
    if (accuser) into.push({ state, node, boot, incarnation, accuser });
    else reader.fail();
  }
}

function readProfile(reader: MembershipReader): Profile {
  let peerAddress = '';
  const clientAddresses: string[] = [];
  let role: Profile['role'] = 'core';
  let ringVersion = 0;
  let load = 0;
  let settled = false;
  reader.each((tag) => {
    if (tag === profileTags.peerAddress) peerAddress = reader.address();
    else if (tag === profileTags.clientAddresses) clientAddresses.push(reader.address());
    // A role of a later version homes nothing that we know of.
    else if (tag === profileTags.role) role = roles[reader.uint32()] ?? 'edge';
    else if (tag === profileTags.ringVersion) ringVersion = reader.varint();
    else if (tag === profileTags.load) load = reader.uint32();
    else if (tag === profileTags.settled) settled = reader.varint() !== 0;
    else reader.skip(tag);
  });
  const profile = { peerAddress, clientAddresses, role, ringVersion, load, settled };
  if (!isProfile(profile)) reader.fail();
  return profile;
}
