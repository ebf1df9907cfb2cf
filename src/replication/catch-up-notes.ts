/** What a home keeps durably about each peer it shares intervals with: how far it is in what arrived there, and what that
 *  peer said of its own store. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { NodeId, StoreId, WriterId } from '../base/ids.js';
import type { Statement } from './messages.js';

/** Everything that arrived at a store through `arrival` is held here, of the intervals that both were homes of under that
 *  version of the ring. */
export interface Checkpoint {
  readonly store: StoreId;
  readonly arrival: number;
  readonly ringVersion: number;
}

export function checkpointNoteOf(peer: NodeId): string {
  return `applied/${peer}`;
}

export function statementNoteOf(peer: NodeId): string {
  return `told/${peer}`;
}

/** store 16 · arrival u64 · ring version u64. */
export function encodeCheckpoint({ store, arrival, ringVersion }: Checkpoint): Uint8Array {
  const out = new ByteWriter(32);
  out.raw(fromHex(store));
  out.fixed64(arrival);
  out.fixed64(ringVersion);
  return out.bytes();
}

/** `undefined` when the note is missing or not ours. */
export function decodeCheckpoint(bytes: Uint8Array | undefined): Checkpoint | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  const store = toHex(reader.take(16)) as StoreId;
  const [arrival, ringVersion] = [reader.fixed64(), reader.fixed64()];
  return reader.failed ? undefined : { store, arrival, ringVersion };
}

/** store 16 · commits u64 · writer 12 · seal 16 · [other 12]. */
export function encodeStatement({ storeId, commits, writer, seal, other }: Statement): Uint8Array {
  const out = new ByteWriter(64);
  out.raw(fromHex(storeId));
  out.fixed64(commits);
  out.raw(fromHex(writer));
  out.raw(fromHex(seal));
  if (other !== undefined) out.raw(fromHex(other));
  return out.bytes();
}

export function decodeStatement(bytes: Uint8Array | undefined): Statement | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  const storeId = toHex(reader.take(16)) as StoreId;
  const commits = reader.fixed64();
  const writer = toHex(reader.take(12)) as WriterId;
  const seal = toHex(reader.take(16));
  const other = reader.position < bytes.length ? (toHex(reader.take(12)) as WriterId) : undefined;
  if (reader.failed) return undefined;
  return { storeId, commits, writer, seal, ...(other === undefined ? {} : { other }) };
}
