/** Keys that restore sessions: the session's id, and what nobody can guess. Only the hash is ever kept, bound to the hub. */
import { fromHex, toBase64Url, toHex, utf8 } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import type { EnginePorts } from '../ports.js';

const idBytes = 12;
const secretBytes = 24;

export type KeyPorts = Pick<EnginePorts, 'random' | 'hashing'>;

export function newKey({ random }: KeyPorts, id: string): Uint8Array {
  const key = new Uint8Array(idBytes + secretBytes);
  key.set(fromHex(id));
  key.set(random.bytes(secretBytes), idBytes);
  return key;
}

/** `undefined` for what is no key. */
export function idOf(key: Uint8Array): string | undefined {
  return key.length === idBytes + secretBytes ? toHex(key.subarray(0, idBytes)) : undefined;
}

export function hashOf({ hashing }: KeyPorts, hub: HubName, key: Uint8Array): string {
  const context = utf8(`ringlog restore v1\n${hub}\n`);
  const bytes = new Uint8Array(context.length + key.length);
  bytes.set(context);
  bytes.set(key, context.length);
  return toBase64Url(hashing.sha256(bytes));
}
