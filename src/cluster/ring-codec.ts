/** The ring as stored and as sent: one form, the same bytes for the same ring, so that nodes compare digests.
 *
 *  version 1 u8 · cluster 16 · ring version varint · replicas u8, 0 for all · virtual nodes less one u8 · change u8: 0 none, else 1 + kind, followed by
 *  phase u8, replicas u8, since varint · lineage: count u8, each 8 · members: count varint, each node 16 and state u8, by
 *  rising node · additions: length varint and bytes · CRC-32 of everything before u32.
 *
 *  Later versions only add: what an older node may pass over goes into `additions`, which it keeps and hands on; what it
 *  must not pass over gets another version, which it refuses. */
import { ByteReader, ByteWriter, equalBytes, fromHex, readFixed32, toHex } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { xxhash64 } from '../base/xxhash64.js';
import { intervalIdOf, virtualNodesMax } from './ring-position.js';
import {
  type ClusterId,
  type RingMemberState,
  type Replicas,
  type Ring,
  type RingChange,
  type RingDigest,
  type RingMember,
  changeKinds,
  ringFault,
} from './ring.js';

/** too-large: above `limits.ringBytesMax`. unknown-version: of a later Ringlog. damaged: checksum. malformed: whole bytes
 *  that are no ring. */
export type RingFault = 'too-large' | 'unknown-version' | 'damaged' | 'malformed';

const version = 1;
const idBytes = 16;
const digestBytes = 8;
const checksumBytes = 4;
const states: readonly RingMemberState[] = ['joining', 'synced', 'active', 'draining'];
const phases = ['filling', 'joint'] as const;

export function encodeRing(ring: Ring): Uint8Array {
  const out = new ByteWriter(64 + digestBytes * ring.lineage.length + (idBytes + 1) * ring.members.length);
  out.u8(version);
  out.raw(fromHex(ring.cluster));
  out.varint(ring.version);
  out.u8(replicasByte(ring.replicas));
  out.u8((ring.virtualNodes ?? virtualNodesMax) - 1);
  writeChange(out, ring.change);
  out.u8(ring.lineage.length);
  for (const digest of ring.lineage) out.raw(fromHex(digest));
  out.varint(ring.members.length);
  for (const { node, state } of ring.members) {
    out.raw(fromHex(node));
    out.u8(states.indexOf(state));
  }
  out.varint(ring.additions?.length ?? 0);
  if (ring.additions) out.raw(ring.additions);
  out.fixed32(crc32(out.buffer, 0, out.length));
  return out.bytes();
}

/** Refuses whatever `encodeRing` would not have written. */
export function decodeRing(bytes: Uint8Array): Result<Ring, RingFault> {
  if (bytes.length > limits.ringBytesMax) return err('too-large');
  const end = bytes.length - checksumBytes;
  if (end < 1) return err('malformed');
  // The first byte is read before the checksum: another version may have another one.
  if (bytes[0] !== version) return err('unknown-version');
  if (crc32(bytes, 0, end) !== readFixed32(bytes, end)) return err('damaged');
  const reader = new ByteReader(bytes, 1, end);
  const ring = readRing(reader);
  if (!ring || reader.failed || reader.position !== end || ringFault(ring)) return err('malformed');
  return equalBytes(encodeRing(ring), bytes) ? ok(ring) : err('malformed');
}

/** Rings are made anew and never changed, and asked for their digests at each message about them. */
const digests = new WeakMap<Ring, RingDigest>();

/** Two rings are one exactly when their digests are equal. No defence against someone who may choose members: peers are
 *  authenticated. */
export function ringDigest(ring: Ring): RingDigest {
  const known = digests.get(ring);
  if (known !== undefined) return known;
  const digest = intervalIdOf(xxhash64(encodeRing(ring))) as string as RingDigest;
  digests.set(ring, digest);
  return digest;
}

function replicasByte(replicas: Replicas): number {
  return replicas === 'all' ? 0 : replicas;
}

function readReplicas(reader: ByteReader): Replicas {
  const byte = reader.u8();
  // ringFault finds what is above 9.
  return byte === 0 ? 'all' : (byte as Replicas);
}

function writeChange(out: ByteWriter, change: RingChange | undefined): void {
  out.u8(change ? 1 + changeKinds.indexOf(change.kind) : 0);
  if (!change) return;
  out.u8(phases.indexOf(change.phase));
  out.u8(replicasByte(change.replicas));
  out.varint(change.since);
}

function readRing(reader: ByteReader): Ring | undefined {
  const cluster = toHex(reader.take(idBytes)) as ClusterId;
  const ringVersion = reader.varint();
  const replicas = readReplicas(reader);
  const virtualNodes = reader.u8() + 1;
  const kindByte = reader.u8();
  const kind = changeKinds[kindByte - 1];
  if (kindByte !== 0 && !kind) return undefined;
  const phase = kind && phases[reader.u8()];
  const target = kind ? readReplicas(reader) : replicas;
  const since = kind ? reader.varint() : 0;
  const lineage = readList(reader, reader.u8(), () => toHex(reader.take(digestBytes)) as RingDigest);
  const members = readList(reader, reader.varint(), () => readMember(reader));
  const additions = reader.take(reader.varint());
  if (members.includes(undefined) || (kind && !phase)) return undefined;
  return {
    cluster,
    version: ringVersion,
    replicas,
    ...(virtualNodes === virtualNodesMax ? {} : { virtualNodes }),
    members: members as RingMember[],
    ...(kind && phase ? { change: { kind, phase, replicas: target, since } } : {}),
    lineage,
    ...(additions.length > 0 ? { additions: additions.slice() } : {}),
  };
}

function readMember(reader: ByteReader): RingMember | undefined {
  const node = toHex(reader.take(idBytes)) as NodeId;
  const state = states[reader.u8()];
  return state && { node, state };
}

/** Stops at the first failure, so a wrong count costs no more than the bytes that are there. */
function readList<T>(reader: ByteReader, count: number, read: () => T): T[] {
  const out: T[] = [];
  for (let i = 0; i < count && !reader.failed; i++) out.push(read());
  return out;
}
