/** The pure core: whatever is lost, repeated, begun anew or declared dead on the way, a home ends with what is true. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelName, ChannelRef, HubName, NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { Announcements } from '../../src/presence/announcements.js';
import { MemberSet } from '../../src/presence/member-set.js';
import type { PresenceTold, ToldChannel } from '../../src/presence/messages.js';
import { Origins } from '../../src/presence/origins.js';
import type { Member } from '../../src/protocol/messages.js';

const refs = ['a', 'b', 'c'].map((channel): ChannelRef => ({
  hub: 'default' as HubName,
  channel: channel as ChannelName,
}));
const nodes = ['1', '2', '3'].map((digit) => digit.repeat(32) as NodeId);
const home = 'f'.repeat(32) as NodeId;
const bootOf = (number: number): string => number.toString(16).padStart(16, '0');
const sessionOf = (node: number, boot: number, number: number): string =>
  `${node}${boot.toString(16).padStart(3, '0')}${number.toString(16).padStart(20, '0')}`;

interface Gateway {
  readonly announcements: Announcements;
  /** Told and not yet heard. */
  readonly wire: PresenceTold[];
  /** What clients know: by channel, then session; `undefined` where they are counted only. */
  readonly truth: Map<ChannelRef, Map<string, string | undefined>>;
  readonly boot: number;
}

/** Three nodes that hold connections, and one home that hears of them. */
class Stage {
  readonly gateways: Gateway[];
  readonly origins: Origins;
  /** As a reader makes it of what it is told of changes. */
  readonly followed = new Map<ChannelRef, Map<string, Member>>();
  homes = new Set<ChannelRef>(refs);
  #boots = 0;

  constructor() {
    this.origins = new Origins((ref, session) => {
      if (session === undefined) return;
      const known = refs.find(({ channel }) => channel === ref.channel)!;
      const members = this.followed.get(known) ?? new Map<string, Member>();
      this.followed.set(known, members);
      const member = this.origins.get(ref)?.get(session);
      if (member) members.set(session, member);
      else members.delete(session);
    });
    this.gateways = nodes.map(() => this.#gateway());
  }

  #gateway(): Gateway {
    const boot = ++this.#boots;
    const holders = (ref: ChannelRef): NodeId[] => (this.homes.has(ref) ? [home] : []);
    const announcements = new Announcements(bootOf(boot), holders);
    announcements.begin(home);
    return { announcements, wire: [], truth: new Map(), boot };
  }

  restart(at: number): void {
    this.gateways[at] = this.#gateway();
  }

  flush(at: number): void {
    const { announcements, wire } = this.gateways[at]!;
    for (let told = announcements.take(home); told; told = announcements.take(home)) wire.push(told);
  }

  hear(at: number, index: number, keeps: boolean): void {
    const { wire } = this.gateways[at]!;
    const told = wire[index];
    if (!told) return;
    if (!keeps) wire.splice(index, 1);
    this.origins.receive(nodes[at]!, told);
  }

  /** All links anew, and everything heard in order. */
  rest(): void {
    this.gateways.forEach(({ announcements, wire }, at) => {
      wire.length = 0;
      announcements.homesChanged();
      announcements.begin(home);
      this.flush(at);
      for (const told of wire) expect(this.origins.receive(nodes[at]!, told)).toBe('heard');
      wire.length = 0;
    });
  }

  expected(ref: ChannelRef): { named: string[]; count: number } {
    const all = this.homes.has(ref) ? this.gateways.flatMap(({ truth }) => [...(truth.get(ref) ?? [])]) : [];
    const named = all.flatMap(([session, said]) => (said === undefined ? [] : `${session} ${said}`));
    return { named: named.sort(), count: all.length };
  }

  seen(ref: ChannelRef): { named: string[]; count: number } {
    const set = this.origins.get(ref);
    const named = set?.page('', 1_000).members.map(({ session, metadata }) => `${session} ${metadata}`);
    return { named: named ?? [], count: set?.count ?? 0 };
  }
}

const at = fc.nat(2);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('enter' as const),
      at,
      ref: at,
      session: fc.nat(3),
      said: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('count' as const), at, ref: at, session: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), at, ref: at, session: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('flush' as const), at }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('hear' as const), at, index: fc.nat(2), keeps: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dead' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rehome' as const), ref: at }) },
);

function act(stage: Stage, it: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  if (it.do === 'rehome') {
    const ref = refs[it.ref]!;
    if (!stage.homes.delete(ref)) stage.homes.add(ref);
    for (const { announcements } of stage.gateways) announcements.homesChanged();
    return;
  }
  const { announcements, truth, boot } = stage.gateways[it.at]!;
  switch (it.do) {
    case 'enter':
    case 'count':
    case 'leave': {
      const ref = refs[it.ref]!;
      const session = sessionOf(it.at, boot, it.session);
      const here = truth.get(ref) ?? new Map<string, string | undefined>();
      truth.set(ref, here);
      if (it.do === 'leave') {
        announcements.leave(ref, session);
        here.delete(session);
      } else if (it.do === 'count') {
        announcements.count(ref, session);
        here.set(session, undefined);
      } else {
        announcements.enter(ref, { session, metadata: String(it.said), since: 1 });
        here.set(session, String(it.said));
      }
      return;
    }
    case 'flush':
      return stage.flush(it.at);
    case 'hear':
      return stage.hear(it.at, it.index, it.keeps);
    case 'restart':
      return stage.restart(it.at);
    case 'begin':
      return announcements.begin(home);
    case 'dead':
      return stage.origins.gone(nodes[it.at]!);
  }
}

describe('a home', () => {
  test('has in the end who is there, whatever came when, twice or never', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const stage = new Stage();
        for (const it of steps) act(stage, it);
        stage.rest();
        for (const ref of refs) {
          expect(stage.seen(ref)).toEqual(stage.expected(ref));
          const followed = [...(stage.followed.get(ref) ?? [])].map(
            ([session, { metadata }]) => `${session} ${metadata}`,
          );
          expect(followed.sort()).toEqual(stage.expected(ref).named);
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test('has at every time what a stream said that came in order, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stage = new Stage();
        for (const it of steps) {
          if (it.do === 'hear' || it.do === 'dead' || it.do === 'restart') continue;
          act(stage, it);
          if (it.do !== 'flush') continue;
          const { wire, truth } = stage.gateways[it.at]!;
          while (wire.length > 0) stage.hear(it.at, 0, false);
          for (const ref of refs) {
            const own = stage.seen(ref).named.filter((line) => line.startsWith(String(it.at)));
            const there = stage.homes.has(ref) ? truth.get(ref) : undefined;
            const said = [...(there ?? [])].flatMap(([session, text]) =>
              text === undefined ? [] : `${session} ${text}`,
            );
            expect(own).toEqual(said.sort());
          }
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test('sees nobody leave while a stream begins again, and those go that it does not name', () => {
    const stage = new Stage();
    const [ref] = refs;
    const left: (string | undefined)[] = [];
    const origins = new Origins((_, session) => left.push(session));
    const { announcements } = stage.gateways[0]!;
    const member = (number: number): Member => ({ session: sessionOf(0, 1, number), since: 1 });
    for (let i = 0; i < 3; i++) announcements.enter(ref!, member(i));
    const tell = (): void => {
      for (let told = announcements.take(home); told; told = announcements.take(home))
        origins.receive(nodes[0]!, told);
    };
    tell();
    announcements.end(home);
    announcements.leave(ref!, sessionOf(0, 1, 1));
    left.length = 0;
    announcements.begin(home);
    tell();
    expect(left).toEqual([sessionOf(0, 1, 1)]);
  });

  test('of a session that two nodes name shows the later one, and the other once that is gone', () => {
    const [ref] = refs;
    const origins = new Origins(() => undefined);
    const session = sessionOf(0, 0, 0);
    const told = (boot: number, since: number): PresenceTold => ({
      type: 'presence',
      boot: bootOf(boot),
      stream: 1,
      number: 1,
      isWhole: true,
      channels: [
        {
          ref: ref!,
          joins: [{ member: { session, since }, version: 1 }],
          leaves: [],
          others: 0,
          isGone: false,
        },
      ],
    });
    origins.receive(nodes[0]!, told(1, 5));
    origins.receive(nodes[1]!, told(2, 9));
    expect(origins.get(ref!)!.get(session)!.since).toBe(9);
    expect(origins.get(ref!)!.count).toBe(1);
    origins.gone(nodes[1]!);
    expect(origins.get(ref!)!.get(session)!.since).toBe(5);
    origins.gone(nodes[0]!);
    expect(origins.get(ref!)).toBeUndefined();
  });
});

describe('a node that lies', () => {
  test('of more than there may be is heard up to the bound, and forgotten as any other', () => {
    const origins = new Origins(() => undefined);
    const perMessage = 60_000;
    let isFlood = false;
    for (let number = 1; number <= Math.ceil(limits.presencesToldMax / perMessage) + 1; number++) {
      const joins = Array.from({ length: perMessage }, (_, i) => ({
        member: { session: (number * perMessage + i).toString(16).padStart(24, '0'), since: 1 },
        version: 1,
      }));
      const channel: ToldChannel = { ref: refs[0]!, joins, leaves: [], others: 1e9, isGone: false };
      const told = { boot: bootOf(1), stream: 1, number, isWhole: true, channels: [channel] };
      isFlood = origins.receive(nodes[0]!, { type: 'presence', ...told }) === 'flood';
    }
    expect(isFlood).toBe(true);
    const { named, count } = origins.get(refs[0]!)!;
    expect(named).toBeLessThanOrEqual(limits.presencesToldMax);
    expect(count).toBe(named + limits.sessionsMax);
    origins.gone(nodes[0]!);
    expect(origins.get(refs[0]!)).toBeUndefined();
  });

  test('in what it numbers and repeats changes nothing of what others told', () => {
    const count = fc.record({
      stream: fc.integer({ min: 1, max: 3 }),
      number: fc.integer({ min: 1, max: 4 }),
      isWhole: fc.boolean(),
      boot: fc.nat(2).map(bootOf),
      others: fc.maxSafeNat(),
      session: fc.nat(3),
      isGone: fc.boolean(),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(count, { maxLength: 30 }), (lies) => {
        const origins = new Origins(() => undefined);
        const ref = refs[0]!;
        const honest = new Announcements(bootOf(9), () => [home]);
        honest.begin(home);
        const session = sessionOf(1, 9, 1);
        honest.enter(ref, { session, metadata: '1', since: Number.MAX_SAFE_INTEGER });
        origins.receive(nodes[1]!, honest.take(home)!);
        for (const lie of lies) {
          const own = sessionOf(0, 0, lie.session);
          const joins = [own, session].map((each) => ({
            member: { session: each, since: 1 },
            version: lie.number,
          }));
          const { boot, stream, number, isWhole, others, isGone } = lie;
          const channel = { ref, joins, leaves: lie.leaves ? [own, session] : [], others, isGone };
          origins.receive(nodes[0]!, {
            type: 'presence',
            boot,
            stream,
            number,
            isWhole,
            channels: [channel],
          });
        }
        expect(origins.get(ref)!.get(session)!.metadata).toBe('1');
        origins.gone(nodes[0]!);
        expect(origins.get(ref)!.count).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what is told', () => {
  test('comes in messages of a bounded size, with all of it', () => {
    const [ref] = refs;
    const announcements = new Announcements(bootOf(1), () => [home]);
    announcements.begin(home);
    const metadata = JSON.stringify('x'.repeat(limits.presenceMetadataBytesMax - 2));
    for (let i = 0; i < 2_500; i++)
      announcements.enter(ref!, { session: sessionOf(1, 1, i), metadata, since: i });
    let named = 0;
    let isWhole = false;
    for (let told = announcements.take(home); told; told = announcements.take(home)) {
      expect(isWhole).toBe(false);
      ({ isWhole } = told);
      const items = told.channels.reduce((sum, { joins }) => sum + joins.length, 0);
      expect(items).toBeLessThanOrEqual(limits.presenceToldItems);
      expect(items * metadata.length).toBeLessThan(2 * limits.presenceToldBytes);
      named += items;
    }
    expect([named, isWhole]).toEqual([2_500, true]);
  });

  test('to a home that is none for a moment forgets who left meanwhile', () => {
    const [ref] = refs;
    const origins = new Origins(() => undefined);
    let homes = [home];
    const announcements = new Announcements(bootOf(1), () => homes);
    const tell = (): void => {
      for (let told = announcements.take(home); told; told = announcements.take(home))
        expect(origins.receive(nodes[0]!, told)).toBe('heard');
    };
    announcements.begin(home);
    for (let i = 0; i < 4; i++) announcements.enter(ref!, { session: sessionOf(1, 1, i), since: 1 });
    tell();
    announcements.leave(ref!, sessionOf(1, 1, 0));
    homes = [];
    announcements.homesChanged();
    announcements.leave(ref!, sessionOf(1, 1, 1));
    homes = [home];
    announcements.homesChanged();
    announcements.leave(ref!, sessionOf(1, 1, 2));
    tell();
    const { members } = origins.get(ref!)!.page('', 10);
    expect(members.map(({ session }) => session)).toEqual([sessionOf(1, 1, 3)]);
    homes = [];
    announcements.homesChanged();
    tell();
    expect(origins.get(ref!)).toBeUndefined();
  });

  test('of what changed twice before it was told is the end', () => {
    const [ref] = refs;
    const announcements = new Announcements(bootOf(1), () => [home]);
    announcements.begin(home);
    announcements.take(home);
    const session = sessionOf(1, 1, 1);
    announcements.enter(ref!, { session, metadata: '1', since: 1 });
    announcements.enter(ref!, { session, metadata: '2', since: 1 });
    expect(announcements.take(home)!.channels[0]!.joins.map(({ member }) => member.metadata)).toEqual(['2']);
    announcements.enter(ref!, { session, metadata: '3', since: 1 });
    announcements.leave(ref!, session);
    expect(announcements.take(home)!.channels).toEqual([
      { ref, joins: [], leaves: [session], others: 0, isGone: false },
    ]);
    expect(announcements.take(home)).toBeUndefined();
  });

  test('has bounds: beyond so many named ones they are counted, beyond so many more not even that', () => {
    const [ref] = refs;
    const most = limits.presencesPerNodeMax;
    const announcements = new Announcements(bootOf(1), () => []);
    const of = (number: number): string => number.toString(16).padStart(24, '0');
    let named = 0;
    for (let i = 0; i < 2 * most + 5; i++)
      if (announcements.enter(ref!, { session: of(i), since: 1 })) named++;
    expect(named).toBe(most);
    expect(announcements.has(ref!, of(2 * most - 1))).toBe(true);
    expect(announcements.has(ref!, of(2 * most))).toBe(false);
    announcements.leave(ref!, of(0));
    expect(announcements.enter(ref!, { session: of(2 * most), since: 1 })).toBe(true);
  });
});

describe('members', () => {
  test('are what a map with sorted keys is', () => {
    const change = fc.record({ session: fc.nat(20), say: fc.option(fc.nat(2), { nil: undefined }) });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60 }),
        fc.nat(21),
        fc.integer({ min: 1, max: 5 }),
        (all, from, limit) => {
          const set = new MemberSet();
          const twin = new Map<string, Member>();
          for (const { session, say } of all) {
            const name = sessionOf(1, 1, session);
            const member = { session: name, metadata: String(say), since: 1 };
            const isNew = say === undefined ? set.delete(name) : set.set(member);
            const isMeant = say === undefined ? twin.has(name) : twin.get(name)?.metadata !== member.metadata;
            expect(isNew).toBe(isMeant);
            if (say === undefined) twin.delete(name);
            else twin.set(name, member);
          }
          const sorted = [...twin.values()].sort((a, b) => (a.session < b.session ? -1 : 1));
          expect(set.page('', 100)).toEqual({ members: sorted, more: false });
          const behind = sorted.filter(({ session }) => session > sessionOf(1, 1, from));
          expect(set.page(sessionOf(1, 1, from), limit)).toEqual({
            members: behind.slice(0, limit),
            more: behind.length > limit,
          });
        },
      ),
    );
  });

  test('differ by what takes one set to the other', () => {
    const list = fc.uniqueArray(fc.tuple(fc.nat(9), fc.nat(1)), { selector: ([session]) => session });
    const setOf = (all: readonly (readonly [number, number])[]): MemberSet => {
      const set = new MemberSet();
      for (const [session, since] of all) set.set({ session: sessionOf(1, 1, session), since });
      return set;
    };
    fc.assert(
      fc.property(list, list, (before, after) => {
        const [from, to] = [setOf(before), setOf(after)];
        const { joins, leaves } = from.differenceTo(to);
        for (const member of joins) expect(from.set(member)).toBe(true);
        for (const session of leaves) expect(from.delete(session)).toBe(true);
        expect(from.page('', 100)).toEqual(to.page('', 100));
      }),
    );
  });
});
