/** Texts that a hub gives out and knows again at every node, by a key that all of them read from `$users`. */
import { fromBase64, toBase64Url, utf8, utf8Text } from '../base/bytes.js';

/** What such a text is good for. The code of authentication is of that too, so that none is taken for another. */
export type SignedUse = keyof typeof prefixes;

const prefixes = { token: 'rl1', ticket: 'rlt1', challenge: 'rlc1' } as const;

export interface ParsedText {
  readonly keyId: string;
  readonly signed: Uint8Array;
  readonly mac: Uint8Array;
  /** Nothing of it is believed before its code is checked. */
  readonly value: unknown;
}

export function isSignedText(use: SignedUse, text: string): boolean {
  return text.startsWith(`${prefixes[use]}.`);
}

/** What the code of authentication is of: the hub too, so that it is good in no other. */
function signedPart(use: SignedUse, hub: string, keyId: string, body: string): Uint8Array {
  return utf8(`ringlog ${use} v1\n${hub}\n${keyId}.${body}`);
}

export function writeSigned(
  use: SignedUse,
  hub: string,
  keyId: string,
  value: object,
  mac: (bytes: Uint8Array) => Uint8Array,
): string {
  const body = toBase64Url(utf8(JSON.stringify(value)));
  return `${prefixes[use]}.${keyId}.${body}.${toBase64Url(mac(signedPart(use, hub, keyId, body)))}`;
}

/** `undefined` for what was never written by us. */
export function parseSigned(use: SignedUse, hub: string, text: string): ParsedText | undefined {
  const parts = text.split('.');
  const [, keyId = '', body = '', code = ''] = parts;
  const mac = fromBase64(code);
  const bytes = fromBase64(body);
  if (parts.length !== 4 || parts[0] !== prefixes[use] || !mac || !bytes) return undefined;
  try {
    const value: unknown = JSON.parse(utf8Text(bytes));
    return typeof value === 'object' && value !== null
      ? { keyId, signed: signedPart(use, hub, keyId, body), mac, value }
      : undefined;
  } catch {
    return undefined;
  }
}
