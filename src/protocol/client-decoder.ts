/** What a server reads: a frame of untrusted bytes into checked messages. Never throws. */
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { decodeJsonFrame } from './client-decoder-json.js';
import { decodeProtobufFrame } from './client-decoder-protobuf.js';
import { type Failure, failure } from './errors.js';
import type { Encoding, ReceivedEnvelope } from './messages.js';

/** `bytes`: one WebSocket message, for JSON its UTF-8. A failure means that nothing of the frame was taken and the
 *  connection should end; what is wrong with one envelope is that envelope's error. Views in the messages are of
 *  `bytes`. */
export function decodeClientFrame(
  encoding: Encoding,
  bytes: Uint8Array,
): Result<readonly ReceivedEnvelope[], Failure> {
  if (bytes.length > limits.frameBytesMax) return err(failure('FRAME_TOO_LARGE'));
  const frame = encoding === 'protobuf' ? decodeProtobufFrame(bytes) : decodeJsonFrame(bytes);
  if (frame === undefined) return err(failure('BAD_FRAME'));
  return 'outcome' in frame ? err(frame) : ok(frame);
}
