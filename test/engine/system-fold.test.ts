/** How what a node knows of a hub follows its log: what becomes of it when the session that reads ends. */
import { expect, test } from 'vitest';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import type { ChannelName, ChannelRef, Dot, HubName, WriterId } from '../../src/base/ids.js';
import { SystemFold, type SystemFoldHost } from '../../src/engine/hubs/system-fold.js';
import type { SessionSink } from '../../src/engine/api.js';
import type { Fold, FoldedEntry, Outcome } from '../../src/hubs/fold.js';
import { decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { decodeClientFrame } from '../../src/protocol/client-decoder.js';
import type { GapReason, ServerMessage, Start } from '../../src/protocol/messages.js';
import { encodeServerFrame } from '../../src/protocol/server-encoder.js';
import type { Session } from '../../src/sessions/session.js';

const ref: ChannelRef = { hub: 'acme' as HubName, channel: '$settings' as ChannelName };
const writer = 'ab'.repeat(12) as WriterId;

class Words implements Fold {
  readonly words: string[] = [];
  apply({ payload }: FoldedEntry): Outcome {
    this.words.push(utf8Text(payload));
    return { isVoid: false };
  }
  lacks(): void {
    this.words.push('?');
  }
}

/** A fold whose sessions are answered by hand. */
class World {
  readonly fold: SystemFold<Words>;
  readonly starts: Start[] = [];
  /** Held, and not known to be committed. */
  doubtful: readonly Dot[] = [];
  readonly #timers = new Set<() => void>();
  #sink: SessionSink | undefined;
  #state = 'opening';

  constructor() {
    const timers = {
      after: (_: number, callback: () => void) => {
        this.#timers.add(callback);
        return () => this.#timers.delete(callback);
      },
    };
    const host = {
      ports: { timers, clock: { monotonicMs: () => 0 }, observer: { observe: () => undefined } },
      uncommitted: () => this.doubtful,
      open: (_: ChannelRef, sink: SessionSink) => this.#open(sink),
    };
    this.fold = new SystemFold(
      ref,
      host as unknown as SystemFoldHost,
      () => new Words(),
      () => undefined,
    );
    this.fold.start();
  }

  #open(sink: SessionSink): Session {
    this.#sink = sink;
    this.#state = 'opening';
    const session = {
      subscriptions: { get: () => ({ state: { state: this.#state } }) },
      receive: (frame: Uint8Array) => this.#asked(frame),
      end: () => sink.close(1000, ''),
    };
    return session as unknown as Session;
  }

  #asked(frame: Uint8Array): void {
    const decoded = decodeClientFrame('protobuf', frame);
    const [envelope] = decoded.ok ? decoded.value : [];
    const message = envelope && 'message' in envelope ? envelope.message : undefined;
    if (message?.type === 'subscribe') this.starts.push(message.channels[0]!.start);
  }

  /** The answer, whatever was there, and from now on what comes. */
  live(from: number, ...words: readonly string[]): void {
    const { channel } = ref;
    const cursor = encodeCursor(ref, from === 1 ? [] : [{ writer, seq: from - 1 }]);
    this.say({ type: 'subscribe', results: [{ channel, cursor }] });
    this.#state = 'live';
    this.add(from, ...words);
  }

  add(from: number, ...words: readonly string[]): void {
    const out = new RunWriter();
    out.begin(ref, writer, 1, from, 0);
    for (const [i, word] of words.entries())
      out.append({ timestamp: from + i, kind: 'settings', content: encodeContent({ payload: utf8(word) }) });
    const { headerBytes } = out.end();
    const records = out.bytes().slice(headerBytes);
    const slice = { channel: ref.channel, writer, round: 1, late: false, records };
    this.say({ type: 'delivery', delivery: slice });
  }

  say(message: ServerMessage): void {
    const bytes = encodeServerFrame('protobuf', [{ requestId: 0, message }]);
    this.#sink!.write([{ bytes, binary: true }] as unknown as Parameters<SessionSink['write']>[0]);
  }

  gap(reason: GapReason, seq: number): void {
    const cursor = encodeCursor(ref, [{ writer, seq }]);
    this.say({ type: 'gap', channel: ref.channel, reason, ranges: [], cursor });
  }

  ends(): void {
    this.#sink!.close(1000, '');
    this.passes();
  }

  passes(): void {
    const due = [...this.#timers];
    this.#timers.clear();
    for (const callback of due) callback();
  }

  /** The seq that the last session begins behind; 0 for the beginning. */
  get startsBehind(): number {
    const start = this.starts.at(-1)!;
    if (start.type !== 'cursor') return 0;
    const heads = decodeCursor(ref, start.cursor);
    return heads.ok ? heads.value[0]!.seq : NaN;
  }
}

test('goes on from where it is, and is what it was until there is more', () => {
  const world = new World();
  world.live(1, 'a', 'b');
  expect([world.startsBehind, world.fold.state?.words]).toEqual([0, ['a', 'b']]);
  world.ends();
  expect([world.startsBehind, world.fold.state?.words]).toEqual([2, ['a', 'b']]);
  // A home that does not have it yet says so.
  world.say({
    type: 'subscribe',
    results: [
      { channel: ref.channel, error: { code: 'UNAVAILABLE', outcome: 'rejected', message: 'Later.' } },
    ],
  });
  world.passes();
  expect([world.startsBehind, world.fold.state?.words]).toEqual([2, ['a', 'b']]);
  world.live(3, 'c');
  expect(world.fold.state?.words).toEqual(['a', 'b', 'c']);
  expect(world.starts).toHaveLength(3);
});

test('what ends before it was read to the end is read from the beginning', () => {
  const world = new World();
  world.add(1, 'a');
  world.ends();
  expect([world.startsBehind, world.fold.state]).toEqual([0, undefined]);
  world.live(1, 'a', 'b');
  expect(world.fold.state?.words).toEqual(['a', 'b']);
});

test('where what it read is lost, or its cursor of no use, it reads from the beginning, and is what it was meanwhile', () => {
  const world = new World();
  world.live(1, 'a', 'b');
  world.ends();
  world.gap('lost', 1);
  world.passes();
  expect([world.startsBehind, world.fold.state?.words]).toEqual([0, ['a', 'b']]);
  world.live(1, 'a', 'c');
  expect(world.fold.state?.words).toEqual(['a', 'c']);
  world.ends();
  expect(world.startsBehind).toBe(2);
  const error = { code: 'BAD_CURSOR', outcome: 'rejected', message: 'No.' } as const;
  world.say({ type: 'subscribe', results: [{ channel: ref.channel, error }] });
  world.passes();
  expect([world.startsBehind, world.fold.state?.words]).toEqual([0, ['a', 'c']]);
});

test('behind what retention removed it goes on, and knows that something is missing', () => {
  const world = new World();
  world.live(1, 'a');
  world.ends();
  world.gap('trimmed', 7);
  world.live(8, 'h');
  expect(world.fold.state?.words).toEqual(['a', '?', 'h']);
  world.ends();
  expect(world.startsBehind).toBe(8);
});

test('is nothing before all that is held is known to be committed', () => {
  const world = new World();
  world.doubtful = [{ writer, seq: 2 }];
  world.live(1, 'a');
  world.passes();
  expect(world.fold.state).toBeUndefined();
  world.doubtful = [];
  world.add(2, 'b');
  expect(world.fold.state?.words).toEqual(['a', 'b']);
  // What was doubtful and is lost is not waited for.
  const other = new World();
  other.doubtful = [{ writer, seq: 2 }];
  other.live(1, 'a');
  other.doubtful = [];
  other.passes();
  expect(other.fold.state?.words).toEqual(['a']);
});
