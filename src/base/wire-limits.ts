/** Those limits that clients know too: in a file of their own, so that a browser does not load all the others. */
export const wireLimits = {
  /** One message's content, encoded. */
  messageBytesMax: 1_048_576,
  /** One WebSocket message or HTTP body from a client. */
  frameBytesMax: 2_097_152,
  /** Envelopes in one frame: bounds the work of one turn. */
  envelopesPerFrameMax: 4_096,
  /** A cursor as bytes; more heads than fit are folded by a merge long before. */
  cursorBytesMax: 2_048,
  eventBytesMax: 128,
  contentTypeBytesMax: 128,
  headersMax: 64,
  headersBytesMax: 8_192,
  /** Addresses of other nodes told to a client: enough that some are there whatever falls. */
  nodesToldMax: 32,
} as const;
