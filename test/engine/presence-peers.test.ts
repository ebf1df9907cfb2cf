/** Presence between nodes, message by message: what does not fit, what is asked for, and who is not served. */
import { describe, expect, test } from 'vitest';
import type { ChannelName, ChannelRef, HubName, NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { Observation } from '../../src/engine/ports.js';
import type { PresenceNeighbours } from '../../src/engine/presence/neighbours.js';
import { Presence } from '../../src/engine/presence/presence.js';
import type { PresenceMessage, PresenceTold } from '../../src/presence/messages.js';
import { SimulatedClock } from '../../simulations/world/clock.js';

const nodeOf = (digit: string): NodeId => digit.repeat(32) as NodeId;
const [here, a, b] = [nodeOf('f'), nodeOf('a'), nodeOf('b')];
const ref: ChannelRef = { hub: 'default' as HubName, channel: 'room' as ChannelName };
const sessionOf = (number: number): string => number.toString(16).padStart(24, '0');
const boot = '1'.repeat(16);

class Stage {
  readonly clock = new SimulatedClock();
  readonly told: [NodeId, PresenceMessage][] = [];
  readonly observations: Observation[] = [];
  readonly linked = new Set<NodeId>();
  readonly boots = new Map<NodeId, string>();
  homes: NodeId[] = [here];
  readonly presence: Presence;

  constructor() {
    const neighbours: PresenceNeighbours = {
      self: here,
      boot: '0'.repeat(16),
      holders: () => this.homes,
      isHome: () => this.homes.includes(here),
      reachableHomes: () => this.homes.filter((home) => this.linked.has(home)),
      isLinked: (peer) => this.linked.has(peer),
      bootOf: (peer) => this.boots.get(peer),
      tell: (peer, message) => void (this.linked.has(peer) && this.told.push([peer, message])),
    };
    const { clock } = this;
    const observer = { observe: (each: Observation) => void this.observations.push(each) };
    const options = { self: here, clock, timers: clock, observer, sessions: { flushSoon: () => undefined } };
    this.presence = new Presence(options, neighbours);
  }

  link(peer: NodeId): void {
    this.linked.add(peer);
    this.boots.set(peer, boot);
    this.presence.linked(peer);
  }

  unlink(peer: NodeId): void {
    this.linked.delete(peer);
    this.presence.unlinked(peer);
  }

  hear(peer: NodeId, told: Partial<PresenceTold>, ...sessions: number[]): void {
    const joins = sessions.map((number) => ({
      member: { session: sessionOf(number), since: 1 },
      version: number,
    }));
    const channels = sessions.length > 0 ? [{ ref, joins, leaves: [], others: 0, isGone: false }] : [];
    const full = { boot, stream: 1, number: 1, isWhole: true, channels, ...told };
    this.presence.received(peer, { type: 'presence', ...full });
  }

  /** What was told since the last look, without what every link begins with. */
  async taken(): Promise<[NodeId, PresenceMessage][]> {
    await this.pass(10);
    return this.told.splice(0).filter(([, { type }]) => type !== 'presence');
  }

  pass(ms: number): Promise<void> {
    return this.clock.until(this.clock.sleep(ms));
  }

  count(): number {
    this.presence.readings.use(ref, false);
    const count = this.presence.readings.get(ref)?.count ?? 0;
    this.presence.readings.release(ref, false);
    return count;
  }
}

describe('a home', () => {
  test('asks once for a beginning where something is missing, and takes it', async () => {
    const stage = new Stage();
    stage.link(a);
    stage.hear(a, {}, 1);
    stage.hear(a, { number: 3 }, 3);
    stage.hear(a, { number: 4 }, 4);
    expect(await stage.taken()).toEqual([[a, { type: 'askPresence' }]]);
    expect(stage.count()).toBe(1);
    stage.hear(a, { stream: 2 }, 1, 3, 4);
    expect(stage.count()).toBe(3);
    stage.hear(a, { stream: 2, number: 3 }, 5);
    expect(await stage.taken()).toEqual([[a, { type: 'askPresence' }]]);
  });

  test('forgets a process that membership holds ended, at the latest when its link breaks', () => {
    const stage = new Stage();
    stage.link(a);
    stage.hear(a, {}, 1);
    stage.unlink(a);
    expect(stage.count()).toBe(1);
    stage.boots.delete(a);
    stage.presence.verdict({ type: 'liveness', node: a, boot: boot as never, verdict: 'dead' });
    expect(stage.count()).toBe(0);
    stage.link(b);
    stage.hear(b, {}, 2);
    // It left, and speaks on for a moment.
    stage.boots.delete(b);
    stage.presence.verdict({ type: 'liveness', node: b, boot: boot as never, verdict: 'left' });
    stage.hear(b, { stream: 2 }, 2);
    expect(stage.count()).toBe(1);
    stage.unlink(b);
    expect(stage.count()).toBe(0);
  });

  test('asks a node that it took for dead, and hears again', async () => {
    const stage = new Stage();
    stage.link(a);
    stage.hear(a, {}, 1);
    stage.presence.verdict({ type: 'liveness', node: a, boot: boot as never, verdict: 'dead' });
    expect(stage.count()).toBe(0);
    stage.presence.verdict({ type: 'liveness', node: a, boot: boot as never, verdict: 'recovered' });
    expect(await stage.taken()).toEqual([[a, { type: 'askPresence' }]]);
    stage.hear(a, { stream: 2 }, 1);
    expect(stage.count()).toBe(1);
  });

  test('sends followers away until those who are linked have told all, or had time to', async () => {
    const stage = new Stage();
    stage.link(a);
    stage.link(b);
    const follow = (id: number): void =>
      stage.presence.received(b, { type: 'followPresence', id, ref, isCount: false });
    follow(1);
    expect(await stage.taken()).toEqual([[b, { type: 'presenceEnded', id: 1 }]]);
    stage.hear(a, { isWhole: false }, 1);
    follow(2);
    expect(await stage.taken()).toEqual([[b, { type: 'presenceEnded', id: 2 }]]);
    await stage.pass(limits.presenceWholeMs);
    follow(3);
    const told = await stage.taken();
    expect(told.map(([, { type }]) => type)).toEqual(['presenceFollowed']);
    // The same number again, and a channel of others.
    follow(3);
    stage.homes = [a];
    follow(4);
    expect((await stage.taken()).map(([, { type }]) => type)).toEqual(['presenceEnded', 'presenceEnded']);
  });

  test('alarms once of a node that tells of more than there may be', () => {
    const stage = new Stage();
    stage.link(a);
    const joins = (from: number) =>
      Array.from({ length: 60_000 }, (_, i) => ({
        member: { session: sessionOf(from + i), since: 1 },
        version: 1,
      }));
    for (let number = 1; number <= 8; number++) {
      const channel = { ref, joins: joins(number * 60_000), leaves: [], others: 0, isGone: false };
      stage.hear(a, { number, channels: [channel] });
    }
    expect(stage.observations.map((each) => each.type === 'alarm' && each.code)).toEqual(['PRESENCE_FLOOD']);
    expect(stage.count()).toBeLessThanOrEqual(limits.presencesToldMax);
  });
});

describe('a node that holds connections', () => {
  test('begins anew for a home that asks, not as often as it asks', async () => {
    const stage = new Stage();
    stage.homes = [a];
    stage.link(a);
    stage.presence.enter(ref, { session: sessionOf(1), since: 1 });
    await stage.pass(10);
    stage.told.length = 0;
    for (let i = 0; i < 200; i++) {
      stage.presence.received(a, { type: 'askPresence' });
      await stage.pass(10);
    }
    const begun = stage.told.filter(([, message]) => message.type === 'presence' && message.number === 1);
    expect(begun.length).toBeGreaterThan(0);
    expect(begun.length).toBeLessThan(4);
  });
});

describe('a node that is no home', () => {
  test('follows another home where one says no, is not reached or is silent, and keeps what it has meanwhile', async () => {
    const stage = new Stage();
    stage.homes = [a, b];
    stage.link(a);
    stage.link(b);
    stage.presence.readings.use(ref, false);
    const asked = async (): Promise<[NodeId, number][]> =>
      (await stage.taken()).flatMap(([peer, message]): [NodeId, number][] =>
        message.type === 'followPresence' ? [[peer, message.id]] : [],
      );
    const answer = (peer: NodeId, id: number, numbers: number[]): void =>
      stage.presence.received(peer, {
        type: 'presenceFollowed',
        id,
        begins: true,
        isWhole: true,
        joins: numbers.map((number) => ({ session: sessionOf(number), since: 1 })),
        leaves: [],
        count: numbers.length,
      });
    const [[first, id]] = (await asked()) as [[NodeId, number]];
    expect(first).toBe(a);
    stage.presence.received(a, { type: 'presenceEnded', id });
    const [[second, next]] = (await asked()) as [[NodeId, number]];
    expect(second).toBe(b);
    // Somebody else's answer, and one to an earlier question.
    answer(a, next, [9]);
    answer(b, id, [9]);
    expect(stage.presence.readings.isReady(ref)).toBe(false);
    answer(b, next, [1, 2]);
    expect(stage.count()).toBe(2);
    stage.presence.routed(b, false);
    const [[third, last]] = (await asked()) as [[NodeId, number]];
    expect(third).toBe(a);
    expect(stage.count()).toBe(2);
    answer(a, last, [2, 3, 4]);
    expect(stage.count()).toBe(3);
    stage.unlink(a);
    stage.unlink(b);
    await asked();
    await stage.pass(3_000);
    expect(stage.count()).toBe(3);
    stage.link(b);
    expect((await asked()).map(([peer]) => peer)).toEqual([b]);
    await stage.pass(limits.followAnswerMs);
    // It does not answer, and there is no other.
    expect((await asked()).every(([peer]) => peer === b)).toBe(true);
  });
});
