/** The cluster key: 32 random bytes that every node of a cluster is given. Whatever proves or hides something between nodes
 *  is derived from it (HKDF, RFC 5869), each under a label of its own. */
import { hkdfSync } from 'node:crypto';
import { fromBase64, toBase64Url } from '../base/bytes.js';
import { type Result, err, ok } from '../base/result.js';

export type ClusterKey = Uint8Array & { readonly __brand: 'ClusterKey' };

const prefix = 'ringlog-key-';
const keyBytes = 32;

export function clusterKeyText(bytes: Uint8Array): string {
  return `${prefix}${toBase64Url(bytes)}`;
}

/** A new one, as text. */
export function newClusterKey(random: { bytes(length: number): Uint8Array }): string {
  return clusterKeyText(random.bytes(keyBytes));
}

/** White space around it does not count: files end with a line. */
export function parseClusterKey(text: string): Result<ClusterKey, string> {
  const trimmed = text.trim();
  const bytes = trimmed.startsWith(prefix) ? fromBase64(trimmed.slice(prefix.length)) : undefined;
  return bytes?.length === keyBytes
    ? ok(bytes as ClusterKey)
    : err('This is no cluster key. Make one with `ringlog key new`, and give the same to all nodes.');
}

/** Key material for one purpose. */
export function derive(key: ClusterKey, label: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', key, 'ringlog', label, length));
}
