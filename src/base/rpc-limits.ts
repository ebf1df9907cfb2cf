/** Those limits that calls of methods (RPC) alone have. */
export const rpcLimits = {
  /** A method's name, and the patterns that one service has. */
  methodNameBytesMax: 128,
  methodPatternsMax: 128,
  servicesPerHubMax: 16,
  /** What goes to a service with a call, and what comes back of it as an HTTP body: the call waits for both in memory. */
  callBytesMax: 65_536,
  callAnswerBytesMax: 262_144,
  /** Calls under way at once: of a session, of a hub and of a node. That many answers are 64 MiB. */
  callsPerSessionMax: 16,
  callsPerHubMax: 64,
  callsMax: 256,
  /** How long a service has to answer, unless its setting says otherwise, and what that may say. */
  callMsDefault: 5_000,
  callMsMax: 30_000,
  /** A code by which a service refuses, and the sentence with it; a longer sentence is cut. */
  refusalCodeBytesMax: 128,
  refusalMessageCharactersMax: 1_024,
  /** The operator is told of a service that cannot be used no more often than this, and of so many of them apart. */
  serviceToldMs: 10_000,
  servicesToldMax: 1_024,
} as const;
