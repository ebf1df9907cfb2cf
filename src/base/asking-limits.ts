/** Those limits that questions between homes have: what one peer may be given, however often it asks. */
export const askingLimits = {
  /** Pages of what arrived given to one peer without a pause, and how many more a second: an absence of millions of channels at
   *  once, and no more work than that for one who asks for everything again and again. */
  pagesAtOnceMax: 4_096,
  pagesPerSecond: 16,
  /** Bytes read for questions of one peer without a pause: all that is held so many times over, and these beside. A home that
   *  missed everything asks for it once, and again for what a link lost that broke. */
  givenTimesMax: 8,
  givenBytesMax: 1_073_741_824,
  /** And how many more a second: the reads of a home that catches up, all lost with a link every second. */
  givenBytesPerSecond: 16_777_216,
  /** What it takes to answer at all, as bytes: 32,768 questions a second for good. A home that asks about each of 250,000
   *  channels again whenever a link was lost may lose it every eight seconds. */
  questionBytes: 512,
  /** The same for what is held of an interval, with what is said of its channels: 1,024 a second for good. A home that waits for
   *  others asks for each of a thousand intervals every four seconds, and for 128 of them at once whenever a link was lost. */
  listingBytes: 16_384,
} as const;
