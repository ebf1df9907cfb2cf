/** What is kept of a session, and what came back of it, in server frames. */
import { type ByteWriter, toBase64Url } from '../base/bytes.js';
import type { SessionKept } from './messages.js';
import { putBytes, putNumber, putText } from './wire.js';

export function putSessionKept(out: ByteWriter, message: SessionKept): void {
  if (message.key) putBytes(out, 0x0a, message.key);
  for (const channel of message.added) putText(out, 0x12, channel);
  for (const channel of message.dropped) putText(out, 0x1a, channel);
  putNumber(out, 0x20, message.leftOut);
  putNumber(out, 0x28, message.forMs);
}

export function sessionKeptToJson({ key, added, dropped, leftOut, forMs }: SessionKept): string {
  return JSON.stringify({ key: key && toBase64Url(key), added, dropped, leftOut, forMs });
}
