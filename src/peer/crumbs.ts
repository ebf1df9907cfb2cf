/** Letters that come in crumbs: whoever sends a byte a frame makes this node keep a hundred times of what was sent, and
 *  neither HTTP/2 nor gRPC minds. What the two do mind they end by themselves (attack 33). */
import { type ServerHttp2Stream, constants } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { limits } from '../base/limits.js';

/** Ends the connection of a call whose letter comes in too many pieces that are too small. */
export const refusingCrumbs: grpc.ServerInterceptor = (_method, call) => {
  // gRPC shows it to nobody; the test of attack 33 tells when it is called otherwise.
  const { stream } = call as unknown as { readonly stream?: ServerHttp2Stream };
  let pieces = 0;
  let bytes = 0;
  stream?.on('data', (piece: Buffer) => {
    pieces++;
    bytes += piece.length;
    if (pieces > limits.peerPiecesMax && bytes < pieces * limits.peerPieceBytesMin)
      stream.session?.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  return new grpc.ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMessage(message: unknown, pass) {
          pieces = 0;
          bytes = 0;
          pass(message);
        },
      }),
  });
};
