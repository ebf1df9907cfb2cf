/** What a client reads: a server's frame into events, every entry checked against its checksum. Never throws. */
import type { HubName } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from './errors.js';
import type { Encoding, ServerEnvelope } from './messages.js';
import { decodeJsonEvents } from './server-decoder-json.js';
import { decodeProtobufEvents } from './server-decoder-protobuf.js';

/** `hub`: the session's, part of what an entry's checksum covers. Messages this version does not know are left out:
 *  versions only add. A failure means that the connection delivers damaged bytes and should be opened anew. */
export function decodeServerFrame(
  encoding: Encoding,
  bytes: Uint8Array,
  hub: HubName,
): Result<readonly ServerEnvelope[], Failure> {
  const events = encoding === 'protobuf' ? decodeProtobufEvents(bytes, hub) : decodeJsonEvents(bytes);
  return events ? ok(events) : err(failure('BAD_FRAME'));
}
