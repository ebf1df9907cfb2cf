/** What clients call, and what services answer. */

/** Calls a method of one of the hub's services. */
export interface RpcMessage {
  readonly type: 'rpc';
  readonly method: string;
  /** As of a publish: left out, the payload is text. */
  readonly contentType?: string;
  readonly payload: Uint8Array;
}

/** What the service answered. */
export interface RpcAnswer {
  readonly contentType?: string;
  readonly payload: Uint8Array;
}
