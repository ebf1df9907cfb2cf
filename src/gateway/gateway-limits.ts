/** Bounds of the HTTP and WebSocket surface, with their reasons; what a client may send is in base/limits.ts. */
export const gatewayLimits = {
  /** A client gets this long for its headers and for a whole request: slow senders hold nothing for longer. */
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 15_000,
  tlsHandshakeTimeoutMs: 5_000,
  keepAliveTimeoutMs: 5_000,
  /** How often Node looks for requests above their time; its default of 30 s would make the limits above a wish. */
  timeoutCheckMs: 500,
  headerBytesMax: 8_192,
  headersMax: 64,
  connectionsMax: 110_000,
  connectionsPerAddressMax: 1_000,
  /** Connections of one address that have not sent a whole request yet. */
  pendingPerAddressMax: 100,
  /** Buffering clients write 4 KiB fragments: 512 of them are one frame of the largest size. */
  fragmentsMax: 512,
  /** Reads a frame may arrive in: one of the largest size in segments of 1,280 bytes takes 1,638. */
  bufferedChunksMax: 4_096,
  /** Ping and pong frames of a client a second. */
  controlFramesPerSecondMax: 20,
  /** Received from a connection before its first whole message, where it must authenticate: one token and its frame. */
  unauthenticatedBytesMax: 16_384,
  /** With more than this unread by a client nothing is read of it either. Above what the engine keeps in flight for a
   *  reader that is behind: such a one must still be heard, or its pongs would be missed. */
  pauseReadingBytes: 524_288,
  /** From our close frame to the end of the connection; the client reads what was written before it. */
  closeTimeoutMs: 5_000,
  /** A refused connection stays this long, so that its answer arrives: ending it with unread bytes resets it. */
  lingerMs: 1_000,
  /** A browser sends the id of the last event as a header: it must fit with the others. */
  sseEventIdBytesMax: 4_096,
  /** An event stream that broke is opened again after this. */
  sseRetryMs: 1_000,
  publishesPerRequestMax: 1_000,
  channelsPageDefault: 100,
  channelsPageMax: 1_000,
  /** A followed log asks again after this long without news, which also finds connections that are gone. */
  followWaitMs: 15_000,
  /** In-flight requests and closing connections get this long at a stop. */
  stopGraceMs: 3_000,
} as const;

/** Whatever is older has known holes. */
export const tlsMinVersion = 'TLSv1.2';
