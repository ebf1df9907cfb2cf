/** JSON Pointer, RFC 6901. */
import { utf8 } from '../base/bytes.js';
import { documentLimits as limits } from '../base/document-limits.js';
import { Fault } from './faults.js';

/** The names and indexes on the way; none for the whole document. */
export type Pointer = readonly string[];

/** Bytes of a UTF-16 unit, at most. */
const utf8UnitMax = 3;

export function readPointer(text: string): Pointer | Fault {
  if (text === '') return [];
  if (!text.startsWith('/')) return new Fault('pointer', 'A pointer is empty or begins with "/".');
  if (text.length * utf8UnitMax > limits.pointerBytesMax && utf8(text).length > limits.pointerBytesMax)
    return new Fault('pointer', `A pointer has at most ${limits.pointerBytesMax} bytes.`);
  const tokens = text.slice(1).split('/');
  if (tokens.length > limits.documentDepthMax)
    return new Fault('pointer', `A pointer goes at most ${limits.documentDepthMax} levels deep.`);
  if (!text.includes('~')) return tokens;
  if (/~(?![01])/.test(text))
    return new Fault('pointer', 'In a pointer "~" is written "~0", and "/" is "~1".');
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function pointerText(pointer: Pointer): string {
  return pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** `undefined` for what is no index at all; digits without leading zeros are. */
export function indexOf(token: string): number | undefined {
  return /^(?:0|[1-9]\d{0,14})$/.test(token) ? Number(token) : undefined;
}
