/** Those limits that presence alone has. */
export const presenceLimits = {
  /** What a client says of itself in a channel, as JSON: a name, a place, a colour. */
  presenceMetadataBytesMax: 512,
  /** Presences (a session in a channel) of one node that are named to others, and as many again that are counted only: with all
   *  they say of themselves they are told within what a link takes at once (`linkBytesMax`). */
  presencesPerNodeMax: 131_072,
  /** What is taken from one node: all those named, and a channel for each of them and of those counted. */
  presencesToldMax: 393_216,
  /** One message of who came and went: a tenth of a letter, so that what else is due to a peer is not held up. */
  presenceToldItems: 1_000,
  presenceToldBytes: 131_072,
  /** A page of members, unless less is asked for. */
  presencePageMax: 1_000,
  /** Joins and leaves that a client is told by name at once, and members of a channel up to which it is: beyond, how many. Whoever
   *  shows a list of so many gets it by pages. */
  presenceChangesToldMax: 1_000,
  presenceNamedMax: 20_000,
  /** Clients of a node that are told of a channel in a millisecond: as many as there are decides how often they are told, and what
   *  came meanwhile comes together. Ten thousand are told every 200 ms, a hundred at once. */
  presenceTellsPerMs: 50,
  /** Channels that other nodes follow for who is there, each of them. */
  presenceFollowsMax: 65_536,
  /** A node linked for so long that has not told all of its presences yet is not waited for by those who ask. */
  presenceWholeMs: 2_000,
} as const;
