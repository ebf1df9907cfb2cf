/** What a node says to the local network so that others find it (`Announcement` in proto/peer-transport.proto). Under a cluster
 *  key it carries an HMAC, so that nobody else can make nodes call somewhere; it proves nothing more, and needs not to: who
 *  answers at the address is proved when it is called. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ByteWriter, fromHex, toHex } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { FieldReader, readText, writeText, writeVarintField } from '../../base/protobuf.js';

/** empty: alone, and it would join. holds: alone, with entries of its own. member: one of a ring of several. The order is the
 *  number on the wire. */
export const standings = ['empty', 'holds', 'member'] as const;
export type Standing = (typeof standings)[number];

export interface Announcement {
  readonly cluster: string;
  readonly node: NodeId;
  /** Peer address. */
  readonly address: string;
  readonly standing: Standing;
}

const magic = Buffer.from('RLa1');
const tags = { cluster: 10, node: 18, address: 26, standing: 32 } as const;
const macBytes = 32;

/** `secret`: derived from the cluster key; without one there is no key. */
export function encodeAnnouncement(said: Announcement, secret: Buffer | undefined): Uint8Array {
  const out = new ByteWriter(256);
  out.raw(magic);
  writeText(out, tags.cluster, said.cluster);
  out.varint(tags.node);
  out.varint(16);
  out.raw(fromHex(said.node));
  writeText(out, tags.address, said.address);
  writeVarintField(out, tags.standing, standings.indexOf(said.standing));
  return Buffer.concat([out.bytes(), macOf(out.bytes(), secret)]);
}

/** `undefined` for what is none, or was made without our key. */
export function decodeAnnouncement(bytes: Uint8Array, secret: Buffer | undefined): Announcement | undefined {
  const end = bytes.length - (secret ? macBytes : 0);
  if (bytes.length > limits.helloBytesMax || end < magic.length) return undefined;
  if (!magic.equals(bytes.subarray(0, magic.length))) return undefined;
  const mac = macOf(bytes.subarray(0, end), secret);
  if (!timingSafeEqual(mac, bytes.subarray(end))) return undefined;
  const reader = new FieldReader(bytes, magic.length, end);
  const read = { cluster: '', node: '', address: '', standing: 0 };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === tags.cluster) read.cluster = readText(reader);
    else if (tag === tags.node) read.node = toHex(reader.chunk());
    else if (tag === tags.address) read.address = readText(reader);
    else if (tag === tags.standing) read.standing = reader.varint();
    else reader.skip(tag);
  }
  const standing = standings[read.standing];
  const isWhole =
    !reader.failed &&
    /^[0-9a-f]{32}$/.test(read.node) &&
    /^[!-~]{1,128}$/.test(read.address) &&
    standing !== undefined;
  return isWhole ? { ...read, node: read.node as NodeId, standing } : undefined;
}

function macOf(bytes: Uint8Array, secret: Buffer | undefined): Buffer {
  return secret ? createHmac('sha256', secret).update(bytes).digest() : Buffer.alloc(0);
}
