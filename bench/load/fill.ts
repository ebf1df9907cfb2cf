/** Puts a known amount into a node, as fast as it takes it. */
import { Link } from '../../src/cli/bench/link.js';
import { RinglogSpeaker } from '../../src/cli/bench/ringlog-conversation.js';
import { within } from '../../src/cli/bench/within.js';

export interface Fill {
  readonly url: string;
  readonly hub: string;
  /** Entries go to these in turn. */
  readonly channels: readonly string[];
  /** A multiple of `perFrame`. */
  readonly entries: number;
  readonly perFrame: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
  /** They are changes of documents: the patch of each place in the circle. */
  readonly patchOf?: (publish: number) => Uint8Array;
}

const fillLimitMs = 1_800_000;

/** Resolves when every entry was acknowledged, once. */
export async function fill({ url, hub, entries, perFrame, ...options }: Fill): Promise<void> {
  const speaker = new RinglogSpeaker({ url, hub }, { ...options, publishesPerFrame: perFrame });
  const frames = entries / perFrame;
  const window = Math.max(1, Math.floor(options.inFlight / perFrame));
  let sent = 0;
  let acknowledged = 0;
  let done = () => {};
  let fail: (error: Error) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  const lane: { link?: Link<RinglogSpeaker> } = {};
  const write = (bytes: Uint8Array) => lane.link!.write(bytes);
  const send = () => {
    const until = Math.min(frames, Math.floor(acknowledged / perFrame) + window);
    // The first read comes before the link is known here.
    if (!lane.link || until <= sent) return;
    speaker.frames.send(sent, until, write);
    sent = until;
  };
  lane.link = await Link.open(speaker, {
    taken(count) {
      acknowledged += count;
      if (acknowledged >= entries) done();
    },
    turn: send,
    failed: fail,
  });
  try {
    send();
    await within(finished, fillLimitMs, `publishing ${entries} entries`);
    const problem = speaker.problem(sent);
    if (problem !== undefined) throw new Error(problem);
  } finally {
    lane.link.close();
  }
}
