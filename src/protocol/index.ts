/** The client protocol, for both ends and both encodings: `ringlog/protocol`. */
export { decodeClientFrame } from './client-decoder.js';
export * from './errors.js';
export type * from './messages.js';
export { encodeDeliveryFrame, encodeServerFrame } from './server-encoder.js';
export { protocolVersion, subprotocols } from './version.js';
