/** Limits of documents, which clients that hold one know too: apart, as those of wire-limits.ts. */
export const documentLimits = {
  /** A document, in canonical form: it goes into one entry as a snapshot, and to a client in one frame. */
  documentBytesMax: 1_048_576,
  /** How deep arrays and objects of documents nest: in a frame, and in a patch, they stay within `jsonDepthMax`. */
  documentDepthMax: 48,
  /** Operations of one patch, and the length of a pointer: what one request may ask of the owner. */
  patchOperationsMax: 1_000,
  pointerBytesMax: 1_024,
} as const;
