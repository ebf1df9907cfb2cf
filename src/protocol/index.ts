/** The client protocol, for both ends and both encodings: `ringlog/protocol`. */
export { decodeClientFrame } from './client-decoder.js';
export { encodeClientFrame } from './client-encoder.js';
export * from './errors.js';
export type * from './messages.js';
export { decodeServerFrame } from './server-decoder.js';
export { encodeDeliveryFrame, encodeServerFrame } from './server-encoder.js';
export { protocolHistory, protocolVersion, subprotocols } from './version.js';
