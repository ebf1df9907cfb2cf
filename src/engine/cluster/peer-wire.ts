/** What nodes tell each other over a link, as bytes: one letter for everything due to one peer at one time. By hand, for
 *  the same reason as replication/wire-encoder.ts; held to proto/peer.proto by its test. */
export { decodePeerMessages } from './peer-wire-decoder.js';
export { eachLetter, encodePeerMessages } from './peer-wire-encoder.js';
