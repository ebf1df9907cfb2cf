/** The stored form of an entry: a record `0x12, varint length, Entry`, so a range of records is a part of a delivery as
 *  it stands. Fields come in proto order; the first four are always there and of fixed width, so checksum, previous,
 *  seq and timestamp are read at fixed offsets of the body without decoding.
 *
 *  Checksum: CRC-32 of the body after the checksum field, started with the CRC-32 of the place, so that an entry is
 *  whole only in its own channel, under its own writer and round. */
export { checkContent, contentHash, decodeContent, encodeContent } from './content-wire.js';
export type { ContentCheck, ContentFault } from './content-wire.js';
export { decodeEntry } from './entry-decoder.js';
export { encodeEntry } from './entry-encoder.js';
export {
  RecordWalk,
  iterateRecords,
  placeOf,
  placeSeed,
  recordChecksum,
  recordIsWhole,
  recordPrevious,
  recordSeq,
  recordTimestamp,
} from './record-layout.js';
