/** Members of one channel that are all told who comes and goes, and one more who comes and gets its first page. */
import type { Conversation } from '../../src/cli/bench/conversation.js';
import { Latencies } from '../../src/cli/bench/latencies.js';
import { Link } from '../../src/cli/bench/link.js';
import type { LoadSocketOptions } from '../../src/cli/bench/load-socket.js';
import { maskedFrame } from '../../src/cli/bench/prepared-frames.js';
import { ProtobufWalk } from '../../src/cli/bench/protobuf-walk.js';
import { pong, socketTarget } from '../../src/cli/bench/ringlog-conversation.js';
import { within } from '../../src/cli/bench/within.js';
import { encodeClientFrame } from '../../src/protocol/client-encoder.js';
import type { OutgoingMessage } from '../../src/protocol/messages.js';
import type { LoadReport, PresenceJob } from './jobs.js';
import { Meter } from './meter.js';

const hub = 'default';
const tellLimitMs = 120_000;
const pageMembers = 100;
const openedTogether = 1_000;

const tag = {
  envelope: 0x0a,
  ping: 0x1a,
  subscribe: 0x32,
  error: 0x72,
  presence: 0x192,
  join: 0x19a,
  leave: 0x1a2,
  // Within those three.
  member: 0x12,
  count: 0x18,
};

export async function presenceCrowd(job: PresenceJob): Promise<LoadReport> {
  const { url, channel, members, joins, serverPid } = job;
  const crowd = new Crowd();
  const meter = new Meter([serverPid]);
  const begun = performance.now();
  const links: Link<Member>[] = [];
  try {
    // One sees the others come; they follow once they are there, or telling them all would be most of what is measured.
    links.push(await Link.open(crowd.member(url, channel, true), events));
    while (links.length < members) {
      const next = Math.min(openedTogether, members - links.length);
      const more = Array.from({ length: next }, () => crowd.member(url, channel, false));
      links.push(...(await Link.openAll(more, () => events)));
    }
    const rampSeconds = (performance.now() - begun) / 1_000;
    const rampTold = links[0]!.conversation.tellings;
    const follow = frameOf(presence(channel, 1, true));
    for (const link of links.slice(1)) link.write(maskedFrame(follow));
    await crowd.told(members);
    const latencies = new Latencies();
    const pages = new Latencies();
    const joinsBegun = performance.now();
    meter.onEdge('begin');
    for (let i = 0; i < joins; i++) {
      const late = new LateMember(url);
      const link = await Link.open(late, events);
      const askedMs = performance.now();
      late.pageCame = () => pages.add(performance.now() - askedMs);
      link.write(maskedFrame(frameOf(subscribe(channel), presence(channel, pageMembers, false))));
      await crowd.told(members + 1);
      latencies.add(performance.now() - askedMs);
      if (late.members !== pageMembers) throw new Error(`its first page has ${late.members} members`);
      link.close();
      await crowd.told(members);
    }
    meter.onEdge('end');
    const page = pages.summary()!;
    return {
      operations: joins,
      operationsInAll: joins,
      seconds: (performance.now() - joinsBegun) / 1_000,
      inFlight: 1,
      latencies: latencies.summary()!,
      values: { rampSeconds, rampTold, pageMs: page.p50Ms },
      ...meter.read(),
    };
  } finally {
    for (const link of links) link.close();
  }
}

const events = {
  taken() {},
  turn() {},
  failed(error: Error): never {
    throw error;
  },
};

/** Knows how many members have been told of how many. */
class Crowd {
  readonly #members: Member[] = [];
  #expected = 0;
  #behind = 0;
  #done = () => {};

  member(url: string, channel: string, follows: boolean): Member {
    const made = new Member(this, url, channel, follows);
    this.#members.push(made);
    return made;
  }

  /** Resolves once all members know of so many. */
  async told(count: number): Promise<void> {
    this.#expected = count;
    this.#behind = this.#members.filter((each) => each.count !== count).length;
    if (this.#behind === 0) return;
    const all = new Promise<void>((resolve) => (this.#done = resolve));
    await within(all, tellLimitMs, `telling ${this.#members.length} members of ${count}`);
  }

  heard(before: number, count: number): void {
    if (before === this.#expected) this.#behind++;
    if (count === this.#expected && --this.#behind === 0) this.#done();
  }
}

/** One connection, which hears of presence. */
abstract class Listening implements Conversation {
  readonly target: LoadSocketOptions;
  readonly greeting?: Uint8Array;
  abstract readonly isReady: boolean;
  readonly #walk = new ProtobufWalk();

  constructor(url: string) {
    this.target = socketTarget({ url, hub });
  }

  /** `kind`: the tag of what tells it. */
  abstract heard(kind: number, count: number, members: number): void;

  take(bytes: Buffer, start: number, end: number, answer: (message: Uint8Array) => void): number {
    const walk = this.#walk.over(bytes, start, end);
    while (walk.next()) {
      if (walk.tag !== tag.envelope) continue;
      const outer = walk.enter();
      while (walk.next()) {
        const kind = walk.tag;
        if (kind === tag.ping) answer(pong);
        else if (kind === tag.error) throw new Error('the node refused what was asked of presence');
        else if (kind === tag.subscribe) this.heard(kind, 0, 0);
        else if (kind === tag.presence || kind === tag.join || kind === tag.leave) {
          const { count, members } = countsIn(walk);
          this.heard(kind, count, members);
        }
      }
      walk.leave(outer);
    }
    return 0;
  }
}

function countsIn(walk: ProtobufWalk): { readonly count: number; readonly members: number } {
  const outer = walk.enter();
  let [count, members] = [0, 0];
  while (walk.next()) {
    if (walk.tag === tag.count) count = walk.value;
    else if (walk.tag === tag.member) members++;
  }
  walk.leave(outer);
  return { count, members };
}

class Member extends Listening {
  override readonly greeting: Uint8Array;
  isReady = false;
  count = 0;
  /** Messages that told it of who came or went. */
  tellings = 0;

  constructor(
    readonly crowd: Crowd,
    url: string,
    channel: string,
    follows: boolean,
  ) {
    super(url);
    const first = follows ? [presence(channel, 1, true)] : [];
    this.greeting = frameOf(...first, subscribe(channel));
  }

  override heard(kind: number, count: number): void {
    if (kind === tag.subscribe) {
      this.isReady = true;
      return;
    }
    if (kind !== tag.presence) this.tellings++;
    const before = this.count;
    this.count = count;
    if (count !== before) this.crowd.heard(before, count);
  }
}

class LateMember extends Listening {
  readonly isReady = true;
  members = 0;
  pageCame = () => {};

  override heard(kind: number, _count: number, members: number): void {
    if (kind !== tag.presence) return;
    this.members = members;
    this.pageCame();
  }
}

function frameOf(...messages: readonly OutgoingMessage[]): Uint8Array {
  return encodeClientFrame(
    'protobuf',
    messages.map((message, i) => ({ requestId: i + 1, message })),
  );
}

const presence = (channel: string, limit: number, follow: boolean) =>
  ({ type: 'presence', channel, limit, follow }) as const;
const subscribe = (channel: string) =>
  ({ type: 'subscribe', channels: [{ channel, start: { type: 'live' } }] }) as const;
