/** The one error catalogue: code, HTTP status, close code where it ends a connection, default outcome, what to do.
 *  docs/protocol.md lists the same codes; a test holds both together. Close codes 4400–4499 mean: do not reconnect
 *  unchanged; 4500–4599 mean: reconnect. */

export type Outcome = 'rejected' | 'indeterminate';

export interface ErrorDefinition {
  readonly status: number;
  /** Set where the error ends the connection. */
  readonly close?: number;
  readonly outcome: Outcome;
  /** The default sentence: what happened and what to do. */
  readonly message: string;
}

const define = <const T extends Record<string, ErrorDefinition>>(catalogue: T): T => catalogue;

export const errorCatalogue = define({
  BAD_FRAME: {
    status: 400,
    close: 4400,
    outcome: 'rejected',
    message: 'The frame cannot be decoded. Send frames as docs/protocol.md describes.',
  },
  UNKNOWN_MESSAGE: {
    status: 400,
    outcome: 'rejected',
    message: 'This message type is not known here. Check the protocol version in SessionInfo.',
  },
  INVALID: { status: 400, outcome: 'rejected', message: 'A field has a value that is not allowed.' },
  BAD_NAME: {
    status: 400,
    outcome: 'rejected',
    message: 'The name does not follow the grammar of hub and channel names.',
  },
  BAD_CURSOR: {
    status: 400,
    outcome: 'rejected',
    message:
      'The cursor is damaged or belongs to another channel. Subscribe without it, or from the beginning.',
  },
  UNAUTHENTICATED: {
    status: 401,
    close: 4401,
    outcome: 'rejected',
    message: 'Authentication is required, or the token is not valid. Send a valid token.',
  },
  DENIED: {
    status: 403,
    outcome: 'rejected',
    message: 'This client is not allowed to do that on this channel.',
  },
  BAD_SIGNATURE: {
    status: 403,
    outcome: 'rejected',
    message: 'What is published here carries its author’s signature, and this one has none that is right.',
  },
  HUB_NOT_FOUND: {
    status: 404,
    close: 4404,
    outcome: 'rejected',
    message: 'There is no such hub on this cluster. Check the hub name.',
  },
  USER_NOT_FOUND: {
    status: 404,
    outcome: 'rejected',
    message: 'There is no such user in this hub. Check the name behind "u:".',
  },
  NOT_FOUND: { status: 404, outcome: 'rejected', message: 'There is nothing at this address.' },
  METHOD_NOT_FOUND: {
    status: 404,
    outcome: 'rejected',
    message: 'No service of this hub has this method.',
  },
  NO_PRESENCE: {
    status: 404,
    outcome: 'rejected',
    message: 'Who is in this channel is not kept: its rules say so.',
  },
  NOT_SUBSCRIBED: {
    status: 409,
    outcome: 'rejected',
    message: 'The session is not subscribed to this channel.',
  },
  ALREADY_SUBSCRIBED: {
    status: 409,
    outcome: 'rejected',
    message: 'The session is subscribed to this channel already. Unsubscribe first to start elsewhere.',
  },
  KEY_CONFLICT: {
    status: 409,
    outcome: 'rejected',
    message: 'This idempotency key was used for another message. Use a new key.',
  },
  NAME_TAKEN: {
    status: 409,
    outcome: 'rejected',
    message: 'Somebody else has this name. Choose another.',
  },
  NOT_RESTORED: {
    status: 409,
    outcome: 'rejected',
    message:
      'The key restores no session: it was used, is too old, or not of this hub and client. Go on with this session, and your cursors.',
  },
  RESTORED_ELSEWHERE: {
    status: 409,
    close: 4409,
    outcome: 'rejected',
    message: 'The session was restored by another connection, which has it now.',
  },
  OUT_OF_ORDER: {
    status: 409,
    outcome: 'rejected',
    message:
      'The publish before this one is not in the log. Send again from the number after the last known one.',
  },
  PATCH_FAILED: {
    status: 409,
    outcome: 'rejected',
    message: 'The patch does not apply to the document as it is. Get the document, and change what it says.',
  },
  VERSION_MISMATCH: {
    status: 412,
    outcome: 'rejected',
    message: 'The document is at another version. Get it, and decide anew.',
  },
  TOO_LARGE: {
    status: 413,
    outcome: 'rejected',
    message: 'The message is larger than the limit. Send it in parts.',
  },
  FRAME_TOO_LARGE: {
    status: 413,
    close: 4413,
    outcome: 'rejected',
    message: 'The frame is larger than the limit. Send fewer or smaller messages a frame.',
  },
  CALL_REFUSED: {
    status: 422,
    outcome: 'rejected',
    message: 'The service refuses the call. Its own code is the "reason".',
  },
  TOO_MANY: {
    status: 429,
    outcome: 'rejected',
    message: 'A limit on how many there may be is reached. Remove some first.',
  },
  RATE_LIMITED: {
    status: 429,
    outcome: 'rejected',
    message: 'Too many messages in a short time. Wait, then send again.',
  },
  FLOODING: {
    status: 429,
    close: 4429,
    outcome: 'rejected',
    message: 'The client went on sending far above its limit. Lower the rate before connecting again.',
  },
  INDETERMINATE: {
    status: 500,
    outcome: 'indeterminate',
    message: 'The outcome is not known: it may appear. Send again with the same idempotency key.',
  },
  INTERNAL: {
    status: 500,
    close: 4500,
    outcome: 'indeterminate',
    message:
      'The node failed on this request. Send again with the same idempotency key; tell the operator if it stays.',
  },
  NO_ANSWER: {
    status: 502,
    outcome: 'indeterminate',
    message: 'The service gave no usable answer: the call may have taken effect. Look before calling again.',
  },
  UNSUPPORTED: {
    status: 501,
    outcome: 'rejected',
    message: 'This kind of channel is not served by this version.',
  },
  UNAVAILABLE: {
    status: 503,
    outcome: 'rejected',
    message: 'The node cannot take this now. Wait, then send again.',
  },
  OVERLOADED: {
    status: 503,
    outcome: 'rejected',
    message: 'Too many publishes are waiting for the disk. Wait, then send again.',
  },
  SHUTTING_DOWN: {
    status: 503,
    close: 4501,
    outcome: 'rejected',
    message: 'The node is stopping. Reconnect, to this address or another.',
  },
  SLOW_READER: {
    status: 503,
    close: 4503,
    outcome: 'rejected',
    message:
      'The client reads slower than its channels are written. Reconnect with the cursors given; nothing is lost.',
  },
  IDLE: {
    status: 408,
    close: 4508,
    outcome: 'rejected',
    message: 'Nothing was heard from the client within the heartbeat time. Reconnect and answer Ping.',
  },
  QUOTA: {
    status: 507,
    outcome: 'rejected',
    message: 'The hub holds as much as it may. Trim or delete channels, or raise its quota; reading goes on.',
  },
  DISK_FULL: {
    status: 507,
    outcome: 'rejected',
    message: 'The disk of the node is nearly full. Free space or trim channels; reading goes on.',
  },
});

export type ErrorCode = keyof typeof errorCatalogue;

/** An error as every surface shows it. */
export interface Failure {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly channel?: string;
  /** Of a patch: the index of the operation, and the code of what is wrong with it. Of a call that was refused: the service's
   *  own code. */
  readonly operation?: number;
  readonly reason?: string;
}

export interface FailureDetails {
  /** Replaces the default sentence. */
  readonly message?: string;
  readonly outcome?: Outcome;
  readonly retryAfterMs?: number;
  readonly channel?: string;
  readonly operation?: number;
  readonly reason?: string;
}

export function failure(code: ErrorCode, details: FailureDetails = {}): Failure {
  const definition = errorCatalogue[code];
  return { code, outcome: definition.outcome, message: definition.message, ...details };
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}

/** Of a connection that ends with it. */
export function closeCodeOf(code: ErrorCode): number {
  const definition: ErrorDefinition = errorCatalogue[code];
  return definition.close ?? 4500;
}
