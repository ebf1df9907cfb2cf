/** Calls of methods, from both encodings. */
import { limits } from '../base/limits.js';
import { type TypedPayload, payloadFromJson } from './content-json.js';
import { type Failure, failure } from './errors.js';
import type { JsonMembers } from './json-members.js';
import type { RpcMessage } from './rpc-messages.js';
import type { WireReader } from './wire.js';

export function readRpc(reader: WireReader): RpcMessage | Failure {
  let method = '';
  let type = '';
  let payload: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) method = reader.text('method');
    else if (tag === 18) type = reader.text('contentType', limits.contentTypeBytesMax);
    else if (tag === 26) payload = reader.chunk();
    else reader.skip(tag);
  }
  return rpcOf(method, { payload, type });
}

export function rpcFromJson(members: JsonMembers, dataText: () => string): RpcMessage | Failure {
  const method = members.text('method') ?? '';
  const type = members.text('contentType', limits.contentTypeBytesMax) ?? '';
  return rpcOf(method, payloadFromJson(members, type, dataText));
}

/** The payload is copied: the call outlives the frame. */
export function rpcOf(method: string, { payload, type }: TypedPayload): RpcMessage | Failure {
  if (payload.length > limits.callBytesMax) {
    const message = `What goes with a call has at most ${limits.callBytesMax} bytes.`;
    return failure('TOO_LARGE', { message });
  }
  return {
    type: 'rpc',
    method,
    ...(type === '' ? undefined : { contentType: type }),
    payload: payload.slice(),
  };
}
