/** What a server writes. A delivery is encoded once and shared by all who get it. */
import type { DeliverySlice, Encoding, ServerMessage } from './messages.js';
import { encodeJsonDelivery, encodeJsonFrame } from './server-encoder-json.js';
import { encodeProtobufDelivery, encodeProtobufFrame } from './server-encoder-protobuf.js';

export { entriesToJson } from './entry-json.js';
export { gapToJson, notificationsToJson } from './server-encoder-json.js';

/** One WebSocket message, for JSON its UTF-8. */
export function encodeServerFrame(
  encoding: Encoding,
  envelopes: readonly { readonly requestId: number; readonly message: ServerMessage }[],
): Uint8Array {
  return encoding === 'protobuf' ? encodeProtobufFrame(envelopes) : encodeJsonFrame(envelopes);
}

/** A frame with one delivery and nothing else; the bytes are the caller's. */
export function encodeDeliveryFrame(encoding: Encoding, slice: DeliverySlice): Uint8Array {
  return encoding === 'protobuf' ? encodeProtobufDelivery(slice) : encodeJsonDelivery(slice);
}
