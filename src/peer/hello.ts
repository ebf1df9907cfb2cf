/** What two nodes say first: which cluster they belong to, who they are, and which versions of the protocol they speak. It
 *  travels in the metadata of every call, both ways (`Hello` in proto/peer-transport.proto). */
import { ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { FieldReader, readText, writeText, writeVarintField } from '../base/protobuf.js';
import { type Result, err, ok } from '../base/result.js';

export interface Hello {
  /** Name of the cluster. */
  readonly cluster: string;
  readonly node: NodeId;
  /** 8 random bytes of one process, 16 hex digits: packets are sealed under it. */
  readonly boot: string;
  /** Versions of the protocol it speaks. */
  readonly oldest: number;
  readonly newest: number;
  /** `host:port` where it hears packets and calls. */
  readonly address: string;
  /** UDP, of the same host, where it is asked for its pulse; 0: nowhere. */
  readonly pulsePort: number;
}

/** Of the two that say hello the other one. */
export type Which = 'called' | 'answers';

/** This program's. A newer one goes on speaking the older ones' versions. */
export const protocolVersions = { oldest: 1, newest: 1 } as const;

const tags = { cluster: 10, node: 18, boot: 26, oldest: 32, newest: 40, address: 50, pulsePort: 56 } as const;
const nodeBytes = 16;
const bootBytes = 8;

export function encodeHello(hello: Hello): Uint8Array {
  const out = new ByteWriter(192);
  writeText(out, tags.cluster, hello.cluster);
  writeBytes(out, tags.node, fromHex(hello.node));
  writeBytes(out, tags.boot, fromHex(hello.boot));
  writeVarintField(out, tags.oldest, hello.oldest);
  writeVarintField(out, tags.newest, hello.newest);
  writeText(out, tags.address, hello.address);
  if (hello.pulsePort > 0) writeVarintField(out, tags.pulsePort, hello.pulsePort);
  return out.bytes();
}

/** `undefined` for what is none. */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  if (bytes.length > limits.helloBytesMax) return undefined;
  const reader = new FieldReader(bytes);
  const read = { cluster: '', node: '', boot: '', oldest: 0, newest: 0, address: '', pulsePort: 0 };
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === tags.cluster) read.cluster = readText(reader);
    else if (tag === tags.node) read.node = toHex(reader.chunk());
    else if (tag === tags.boot) read.boot = toHex(reader.chunk());
    else if (tag === tags.oldest) read.oldest = reader.varint();
    else if (tag === tags.newest) read.newest = reader.varint();
    else if (tag === tags.address) read.address = readText(reader);
    else if (tag === tags.pulsePort) read.pulsePort = reader.varint();
    else reader.skip(tag);
  }
  const isWhole =
    !reader.failed &&
    read.node.length === 2 * nodeBytes &&
    read.boot.length === 2 * bootBytes &&
    isClusterName(read.cluster) &&
    read.oldest >= 1 &&
    read.newest >= read.oldest &&
    read.pulsePort <= 65_535 &&
    isAddress(read.address);
  return isWhole ? { ...read, node: read.node as NodeId } : undefined;
}

/** Short, so that it fits into every packet. */
export function isClusterName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}

/** Visible ASCII, as in profiles of members. */
function isAddress(text: string): boolean {
  return text.length <= limits.addressBytesMax && /^[!-~]+$/.test(text);
}

/** The version both speak, or a sentence for whoever called why there is none. `us` is the one that refuses, `which` what `them` did. */
export function versionWith(us: Hello, them: Hello, which: Which = 'called'): Result<number, string> {
  if (us.cluster !== them.cluster) {
    return err(
      `This node belongs to the cluster "${us.cluster}", the one that ${which} to "${them.cluster}": give both the same --cluster-name.`,
    );
  }
  const newest = Math.min(us.newest, them.newest);
  if (newest >= Math.max(us.oldest, them.oldest)) return ok(newest);
  const [ours, theirs] = [versionsText(us), versionsText(them)];
  return err(
    `This node speaks peer protocol ${ours}, the one that ${which} ${theirs}: run versions of Ringlog that follow one another.`,
  );
}

function versionsText({ oldest, newest }: Hello): string {
  return oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
}

function writeBytes(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  out.varint(tag);
  out.varint(bytes.length);
  out.raw(bytes);
}
