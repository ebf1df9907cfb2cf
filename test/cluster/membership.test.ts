/** One node among others that the test plays: what it says, asks and decides. */
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { encodePacket } from '../../src/cluster/membership-wire.js';
import type { Packet } from '../../src/cluster/packet.js';
import { lan } from '../../src/cluster/parameters.js';
import {
  a,
  accusation,
  alive,
  b,
  bootOf,
  c,
  d,
  e,
  left,
  nodeOf,
  profileOf,
  subject,
  verdicts,
} from './support.js';

const gossip = { type: 'gossip' as const };

/** Answers what the subject asks of these nodes, as long as `ms` passes. */
function live(node: ReturnType<typeof subject>, ms: number, answering: readonly NodeId[]): Packet[] {
  const seen: Packet[] = [];
  for (let i = 0; i < ms; i++) {
    node.pass(1);
    for (const effect of node.effects.splice(0)) {
      if (effect.type !== 'send') continue;
      const { to, message } = effect.packet;
      seen.push(effect.packet);
      if (!answering.includes(to)) continue;
      if (message.type === 'ping') node.packet(to, { type: 'ack', seq: message.seq });
      if (message.type === 'ping-request') node.packet(to, { type: 'nack', seq: message.seq });
    }
  }
  return seen;
}

describe('a probe', () => {
  test('goes to everybody once a round, each round in another order', () => {
    const others = 'bcdef'.split('').map(nodeOf);
    const node = subject(others);
    const pings = live(node, 80 * 30 + 40, others).filter((packet) => packet.message.type === 'ping');
    const rounds = Array.from({ length: 6 }, (_, i) =>
      pings
        .slice(5 * i, 5 * i + 5)
        .map((packet) => packet.to[0])
        .join(''),
    );
    for (const round of rounds) expect(round.split('').sort().join('')).toBe('bcdef');
    expect(new Set(rounds).size).toBeGreaterThan(1);
  });

  test('that is not answered asks three others, the stream and the pulse at once, then accuses', () => {
    const node = subject([b, c, d, e]);
    node.membership.linkBroken(b, 0);
    expect(node.sent().map(({ to, message }) => [to, message.type])).toEqual([[b, 'ping']]);
    node.pass(30);
    const asked = node.take();
    const requests = asked.filter(
      (effect) => effect.type === 'send' && effect.packet.message.type === 'ping-request',
    );
    expect(requests).toHaveLength(3);
    expect(asked.find((effect) => effect.type === 'stream-probe')).toMatchObject({ node: b });
    expect(asked.filter((effect) => effect.type === 'ask-pulse')).toEqual([{ type: 'ask-pulse', node: b }]);
    node.pass(50);
    expect(verdicts(node.effects)).toEqual(['away from b']);
    const news = node.sent().flatMap((packet) => packet.news);
    expect(news).toContainEqual(accusation('suspect', b, a));
  });

  test('is answered by whom it asks to help, and by nobody else', () => {
    for (const helper of [c, d]) {
      const node = subject([b, c]);
      node.membership.linkBroken(b, 0);
      const { message } = node.sent()[0]!;
      if (message.type !== 'ping') throw new Error('not a ping');
      node.pass(30);
      node.packet(helper, { type: 'ack', seq: message.seq });
      node.pass(60);
      expect(node.membership.member(b)?.state).toBe(helper === c ? 'alive' : 'suspect');
    }
  });

  test('is answered over the stream, which also counts as a working link', () => {
    const node = subject([b, c]);
    node.membership.linkBroken(b, 0);
    node.pass(30);
    const probe = node.take().find((effect) => effect.type === 'stream-probe');
    if (probe?.type !== 'stream-probe') throw new Error('no stream probe');
    node.membership.streamAnswered(probe.seq, 35);
    node.pass(60);
    expect(node.membership.member(b)).toMatchObject({ state: 'alive', reachable: true });
  });

  test('waits for one whose loop ran lately, once, and no longer for one that is busy', () => {
    for (const [ageMs, endsAt] of [
      [20, 265],
      [200, 85],
      [300, 80],
    ] as const) {
      const node = subject([b, c]);
      node.membership.linkBroken(b, 0);
      node.pass(30);
      node.now = 35;
      node.membership.pulsed(b, ageMs, node.now);
      while (node.membership.member(b)?.state === 'alive') {
        node.pass(1);
        if (node.now > 40) node.membership.pulsed(b, 0, node.now);
      }
      expect([node.now, node.membership.member(b)?.reachable]).toEqual([endsAt, false]);
    }
  });

  test('attack 30: made for another answers it with ack or nack, under its number, and only for members', () => {
    const node = subject([b, c]);
    node.packet(b, { type: 'ping-request', seq: 77, target: c });
    node.packet(b, { type: 'ping-request', seq: 78, target: e });
    const [ping, ...none] = node.sent();
    expect(none).toEqual([]);
    expect(ping).toMatchObject({ to: c, message: { type: 'ping' } });
    node.pass(30);
    expect(node.sent().map((packet) => packet.message)).toContainEqual({ type: 'nack', seq: 77 });
    const { message } = ping!;
    if (message.type !== 'ping') throw new Error('not a ping');
    node.packet(c, { type: 'ack', seq: message.seq });
    expect(node.sent().map(({ to, message: sent }) => [to, sent])).toContainEqual([
      b,
      { type: 'ack', seq: 77 },
    ]);
  });

  test('is made for others a bounded number of times at once', () => {
    const node = subject([b, c]);
    for (let seq = 0; seq < 1_000; seq++) node.packet(b, { type: 'ping-request', seq, target: c });
    expect(node.sent().filter(({ to }) => to === c)).toHaveLength(limits.relayedProbesMax);
  });

  test('waits longer the less this node can trust itself', () => {
    const node = subject([b, c, d, e]);
    // Helpers that do not even say "no answer" speak against ourselves.
    live(node, 2_000, []);
    expect(node.membership.localHealth).toBe(7);
    for (const other of [b, c, d, e]) node.packet(other, gossip, [alive(other, 9)], 9);
    const pings = live(node, 1_280, [b, c, d, e]).filter(({ message }) => message.type === 'ping');
    expect(pings.length).toBeLessThan(8);
    live(node, 5_000, [b, c, d, e]);
    expect(node.membership.localHealth).toBe(0);
  });
});

describe('a suspect', () => {
  test('is told so by whatever is sent to it', () => {
    const node = subject([b, c, d]);
    node.packet(c, gossip, [accusation('suspect', b, c)]);
    node.sent();
    node.packet(b, { type: 'ping', seq: 5 });
    const [answer] = node.sent();
    expect([answer?.to, answer?.news[0]]).toEqual([b, accusation('suspect', b, a)]);
  });

  test('that raises its incarnation is alive again', () => {
    const node = subject([b, c, d]);
    node.packet(c, gossip, [accusation('suspect', b, c)]);
    expect(node.membership.member(b)?.state).toBe('suspect');
    node.packet(c, gossip, [alive(b, 2)]);
    expect(node.membership.member(b)).toMatchObject({ state: 'alive', incarnation: 2 });
    node.packet(c, gossip, [accusation('suspect', b, d)]);
    expect(node.membership.member(b)?.state).toBe('alive');
  });

  test('is alive again by the head of any packet of its own', () => {
    const node = subject([b, c, d]);
    node.packet(c, gossip, [accusation('suspect', b, c, 4)]);
    node.packet(b, gossip, [], 5);
    expect(node.membership.member(b)).toMatchObject({ state: 'alive', incarnation: 5 });
  });

  test('dies when its time is over, sooner when others confirm', () => {
    const lone = subject([b, c, d, e]);
    lone.packet(c, gossip, [accusation('suspect', b, c)]);
    const confirmed = subject([b, c, d, e]);
    for (const accuser of [c, d, e]) confirmed.packet(accuser, gossip, [accusation('suspect', b, accuser)]);
    for (const node of [lone, confirmed]) live(node, 790, [b, c, d, e]);
    live(confirmed, 20, [c, d, e]);
    expect(confirmed.membership.member(b)?.state).toBe('dead');
    expect(lone.membership.member(b)?.state).toBe('suspect');
    live(lone, 4_020, [b, c, d, e]);
    expect(lone.membership.member(b)?.state).toBe('dead');
  });

  test('is asked for its pulse, and as long as that comes is busy up to the bound', () => {
    const node = subject([b, c, d]);
    for (const accuser of [c, d]) node.packet(accuser, gossip, [accusation('suspect', b, accuser)]);
    expect(verdicts(node.take())).toEqual(['away from b']);
    const asked: number[] = [];
    while (node.membership.member(b)?.state === 'suspect') {
      node.pass(1);
      for (const effect of node.take()) {
        if (effect.type !== 'ask-pulse' || effect.node !== b) continue;
        asked.push(node.now);
        node.membership.pulsed(b, 300 + node.now, node.now);
      }
    }
    expect(node.now).toBe(lan.pulseBusyMs - 300);
    expect(asked.length).toBeGreaterThan(20);
    expect(node.membership.member(b)?.reachable).toBe(false);
  });

  test('is probed again where its loop has run since', () => {
    for (const [ranAt, pings] of [
      [100, 0],
      [101, 1],
    ] as const) {
      const node = subject([b, c]);
      node.now = 100;
      node.packet(c, gossip, [accusation('suspect', b, c)]);
      for (const { to, message } of node.sent())
        if (to === b && message.type === 'ping') node.packet(b, { type: 'ack', seq: message.seq });
      node.now = 102;
      node.membership.pulsed(b, node.now - ranAt, node.now);
      expect(node.sent().map(({ to, message }) => [to, message.type])).toEqual(
        Array(pings).fill([b, 'ping']),
      );
    }
  });

  test('that is gone is not brought back by a pulse, nor is a stranger', () => {
    const node = subject([b, c]);
    node.packet(b, gossip, [left(b)]);
    node.take();
    node.membership.pulsed(b, 0, 1);
    node.membership.pulsed(e, 0, 1);
    expect(verdicts(node.take())).toEqual([]);
    expect(node.membership.member(b)).toMatchObject({ state: 'left', reachable: false });
  });

  test('is routed around on the second accuser, and on the first where our own link fails', () => {
    const told = subject([b, c, d, e]);
    told.packet(c, gossip, [accusation('suspect', b, c)]);
    expect(verdicts(told.take())).toEqual([]);
    told.packet(d, gossip, [accusation('suspect', b, d)]);
    expect(verdicts(told.take())).toEqual(['away from b']);

    const linked = subject([b, c, d, e]);
    linked.membership.linkBroken(b, 0);
    linked.take();
    linked.packet(c, gossip, [accusation('suspect', b, c)]);
    expect(verdicts(linked.take())).toEqual(['away from b']);
  });

  test('that gossip left undecided is probed by us', () => {
    const others = 'bcdefghijklmnopqrstuvwxyz'.split('').map(nodeOf);
    const node = subject(others);
    node.packet(c, gossip, [accusation('suspect', b, c)]);
    const pings = live(node, 170, others.slice(1)).filter(
      ({ to, message }) => to === b && message.type === 'ping',
    );
    expect(pings.length).toBeGreaterThan(0);
  });
});

describe('this node', () => {
  test('refutes an accusation at once, with the next incarnation, and tells it', () => {
    const node = subject([b, c, d]);
    live(node, 1_000, [b, c, d]);
    node.packet(b, { type: 'ping', seq: 3 }, [accusation('suspect', a, c, 1)]);
    expect(node.membership.incarnation).toBe(2);
    expect(node.sent()[0]).toMatchObject({ to: b, incarnation: 2, news: [alive(a, 2)] });
    node.packet(b, gossip, [accusation('suspect', a, d, 1)]);
    expect(node.membership.incarnation).toBe(2);
  });

  test('raises its incarnation at most once in a gossip interval, whatever it hears', () => {
    const node = subject([b]);
    for (let i = 1; i <= 1_000; i++) node.packet(b, gossip, [accusation('suspect', a, b, i)]);
    expect(node.membership.incarnation).toBe(2);
    node.pass(lan.gossipIntervalMs);
    expect(node.membership.incarnation).toBe(1_001);
  });

  test('overrules what is known of its earlier life', () => {
    const node = subject([b]);
    node.packet(b, gossip, [alive(a, 9, { boot: bootOf('0') })]);
    expect(node.membership.incarnation).toBe(10);
    expect(verdicts(node.take())).toEqual([]);
  });

  test('raises an alarm when another process goes on under its id', () => {
    const node = subject([b]);
    for (let i = 0; i < 5; i++) {
      node.pass(60);
      const incarnation = node.membership.incarnation + 1;
      node.packet(b, gossip, [alive(a, incarnation, { boot: bootOf('0') })]);
    }
    expect(verdicts(node.take())).toContain('alarm identity-conflict a');
  });

  test('tells a changed profile, and an unchanged one not', () => {
    const node = subject([b]);
    live(node, 2_000, [b]);
    node.membership.update(profileOf(a), node.now);
    expect(node.membership.incarnation).toBe(1);
    node.membership.update(profileOf(a, { load: 9 }), node.now);
    node.pass(0);
    expect(node.sent()[0]?.news).toContainEqual(alive(a, 2, { profile: profileOf(a, { load: 9 }) }));
  });

  test('that was paused blames nobody for what it did not hear', () => {
    for (const pausedMs of [0, 5_000]) {
      const node = subject([b, c, d]);
      node.packet(c, gossip, [accusation('suspect', d, c), accusation('suspect', d, b)]);
      node.membership.linkBroken(b, 0);
      const ping = node.sent().find(({ to, message }) => to === b && message.type === 'ping')!;
      // Timers come first when a process goes on, and only then what waits in its sockets.
      node.now = pausedMs + 85;
      node.membership.tick(node.now);
      if (ping.message.type === 'ping') node.packet(b, { type: 'ack', seq: ping.message.seq });
      node.pass(20);
      expect(node.membership.member(b)?.state).toBe('alive');
      expect(node.membership.member(d)?.state).toBe('suspect');
    }
  });

  test('that leaves tells everybody at once, answers for a while, and ends', () => {
    const node = subject([b, c]);
    node.membership.leave(0);
    const told = node.sent();
    for (const other of [b, c]) {
      expect(told.find(({ to }) => to === other)?.news).toContainEqual(left(a, 1));
    }
    node.packet(b, { type: 'ping', seq: 4 }, [accusation('suspect', a, c)]);
    expect(node.sent()[0]?.message).toEqual({ type: 'ack', seq: 4 });
    expect(node.membership.incarnation).toBe(1);
    node.pass(lan.leaveLingerMs);
    expect(node.take().at(-1)).toEqual({ type: 'leave-complete' });
    expect(node.membership.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  test('tries known addresses while it is alone, and tells nothing on that everybody knew', () => {
    const node = subject([]);
    node.membership.learn(['b.example:7946'], 0);
    node.pass(2_100);
    expect(node.take().filter((effect) => effect.type === 'sync').length).toBe(3);
    const all = [alive(b), alive(c), alive(d)];
    node.membership.receiveSync({ from: b, boot: bootOf('b'), incarnation: 1, statements: all }, node.now);
    node.pass(500);
    const news = node
      .sent()
      .flatMap((packet) => packet.news)
      .filter((statement) => statement.state === 'alive');
    expect(new Set(news.map((statement) => statement.node))).toEqual(new Set([a]));
  });

  test('looks for who left in order: it may come back knowing nobody', () => {
    const node = subject([b]);
    node.packet(b, gossip, [left(b, 1)]);
    node.take();
    node.pass(Math.max(lan.deadPingIntervalMs, 2 * lan.rejoinIntervalMs));
    const effects = node.take();
    const pinged = effects.flatMap((effect) => (effect.type === 'send' ? [effect.packet] : []));
    expect(pinged.some(({ to, message }) => to === b && message.type === 'ping')).toBe(true);
    const asked = effects.flatMap((effect) => (effect.type === 'sync' ? [effect.address] : []));
    expect(asked).toContain(profileOf(b).peerAddress);
  });

  test('drops what is meant for another, and asks a stranger for everything once a second', () => {
    const node = subject([b]);
    const head = { from: e, boot: bootOf('e'), incarnation: 1, message: gossip, news: [] };
    node.membership.receive({ ...head, to: c }, 'e:1', 0);
    expect(node.take()).toEqual([]);
    for (let i = 0; i < 9; i++) node.membership.receive({ ...head, to: a }, 'e:1', i);
    expect(node.take().map((effect) => effect.type)).toEqual(['sync']);
  });

  test('tells a restarted node from the one before', () => {
    const node = subject([b, c]);
    node.packet(c, gossip, [alive(b, 2, { boot: bootOf('f') })]);
    expect(verdicts(node.take())).toEqual(['b restarted']);
  });
});

describe('a profile', () => {
  const settled = (node: NodeId) => ({ profile: profileOf(node, { settled: true }) });

  test('of which the news was missed is asked for, of the member itself, until it has come', () => {
    const node = subject([b, c]);
    node.packet(c, gossip, [alive(b, 2, settled(b))]);
    live(node, 2_000, [b, c]);
    const asked = (ms: number) =>
      live(node, ms, [c]).filter(
        ({ to, news }) => to === b && news.some(({ incarnation }) => incarnation === 2),
      );
    // What b says of itself by now went round while it was not heard here.
    node.packet(b, gossip, [], 3);
    expect(asked(lan.gossipIntervalMs - 1)).toEqual([]);
    const [first] = asked(1);
    expect([first?.message.type, first?.news]).toEqual(['ping', [alive(b, 2, settled(b))]]);
    expect(node.membership.member(b)?.profile.settled).toBe(true);
    expect(asked(lan.probeIntervalMs).map(({ message }) => message.type)).toContain('ping');
    node.packet(b, { type: 'ack', seq: 0 }, [alive(b, 3)], 3);
    expect(node.membership.member(b)?.profile.settled).toBe(false);
    expect(asked(1_000)).toEqual([]);
  });

  test('that comes with the packet, or soon after it, is not asked for', () => {
    const node = subject([b, c]);
    node.packet(b, gossip, [alive(b, 2, settled(b))], 2);
    node.packet(b, gossip, [], 3);
    node.pass(lan.gossipIntervalMs / 2);
    node.packet(c, gossip, [alive(b, 3)]);
    node.sent();
    node.now = lan.gossipIntervalMs;
    node.membership.tick(node.now);
    expect(node.sent().filter(({ message }) => message.type === 'ping')).toEqual([]);
  });

  test('of a member that came back elsewhere is asked for there', () => {
    const node = subject([b]);
    const sender = { from: b, boot: bootOf('f'), incarnation: 2 };
    node.membership.receive({ ...sender, to: a, message: gossip, news: [] }, 'elsewhere:1', 0);
    node.pass(lan.gossipIntervalMs);
    expect(node.take()).toContainEqual(expect.objectContaining({ type: 'send', address: 'elsewhere:1' }));
  });

  test('that somebody holds of this node from before is answered with the newest, however often that was told', () => {
    const node = subject([b, c]);
    node.membership.update(profileOf(a, { settled: true }), 0);
    live(node, 2_000, [b, c]);
    node.packet(b, { type: 'ping', seq: 7 });
    expect(node.sent()[0]?.news).toEqual([]);
    node.packet(b, { type: 'ping', seq: 8 }, [alive(a, 1)]);
    const [answer] = node.sent();
    expect(answer).toMatchObject({
      to: b,
      message: { type: 'ack', seq: 8 },
      news: [alive(a, 2, settled(a))],
    });
    expect(node.membership.incarnation).toBe(2);
  });
});

describe('a packet', () => {
  test('stays within its bytes, whatever there is to tell', () => {
    const others = Array.from({ length: 200 }, (_, i) => i.toString(16).padStart(32, '0') as NodeId);
    const long = (node: NodeId) => ({
      peerAddress: node.slice(-2).repeat(64),
      clientAddresses: Array<string>(4).fill('x'.repeat(128)),
      role: 'edge' as const,
      settled: true,
      ringVersion: Number.MAX_SAFE_INTEGER,
      load: 1_000,
    });
    const node = subject(others, lan, long(a));
    node.membership.update({ ...long(a), load: 1 }, 0);
    for (const [i, other] of others.entries()) {
      const profile = i % 2 ? long(other) : profileOf(b);
      node.packet(others[0]!, gossip, [alive(other, 2, { profile }), accusation('suspect', other, b, 2)]);
      node.packet(others[i]!, { type: 'ping-request', seq: 2 ** 32 - 1, target: others[1]! });
    }
    node.pass(1_000);
    const lengths = node.sent().map((packet) => encodePacket(packet).length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(lan.packetBytesMax);
    expect(Math.max(...lengths)).toBeGreaterThan(lan.packetBytesMax - 100);
  });
});

describe('attack 31: a lying member', () => {
  test('who claims that many are dead kills nobody who answers', () => {
    const others = 'bcdef'.split('').map(nodeOf);
    const node = subject(others);
    const lies = [c, d, e].flatMap((victim) =>
      [b, c, d, e].map((accuser) => accusation('dead', victim, accuser)),
    );
    node.packet(b, gossip, lies);
    for (const victim of [c, d, e]) expect(node.membership.member(victim)?.state).toBe('suspect');
    // Each says something within the shortest suspicion, of an incarnation above what it is accused of.
    for (const victim of [c, d, e]) node.packet(victim, gossip, [alive(victim, 2)], 2);
    live(node, 5_000, []);
    const states = node.membership.members().map((member) => member.incarnation);
    expect(states).toEqual([1, 2, 2, 2, 1]);
  });

  test('turns routes away only until the accused speaks to us', () => {
    const node = subject([b, c, d, e]);
    node.packet(b, gossip, [accusation('suspect', c, b), accusation('suspect', c, d)]);
    expect(verdicts(node.take())).toEqual(['away from c']);
    node.pass(1);
    node.packet(c, gossip);
    expect(verdicts(node.take())).toEqual(['route to c']);
    node.packet(b, gossip, [accusation('dead', c, e)]);
    expect(verdicts(node.take())).toEqual([]);
  });

  test('cannot push an incarnation out of reach', () => {
    const node = subject([b, c]);
    node.packet(b, gossip, [accusation('dead', c, b, 1 + limits.incarnationJumpMax + 1)]);
    node.packet(b, gossip, [accusation('dead', a, b, limits.incarnationMax)]);
    expect(verdicts(node.take())).toEqual(['alarm incarnation-jump c', 'alarm incarnation-jump a']);
    expect(node.membership.member(c)).toMatchObject({ state: 'alive', incarnation: 1 });
    expect(node.membership.incarnation).toBe(1);
  });

  test('who introduces a node at an impossible incarnation is overruled by that node itself', () => {
    const node = subject([b]);
    node.packet(b, gossip, [
      alive(c, limits.incarnationMax),
      accusation('dead', c, b, limits.incarnationMax),
    ]);
    node.packet(c, gossip, [], 3);
    expect(node.membership.member(c)).toMatchObject({ state: 'alive', incarnation: 3, reachable: true });
    // What was said in its name is not what it says itself.
    node.packet(c, gossip, [alive(c, 3, { profile: profileOf(c, { load: 7 }) })], 3);
    expect(node.membership.member(c)?.profile.load).toBe(7);
  });

  test('who says that a silent node is alive does not bring our route back', () => {
    const node = subject([b, c, d]);
    node.membership.linkBroken(c, 0);
    live(node, 81, [b, d]);
    expect(node.membership.member(c)?.reachable).toBe(false);
    for (let incarnation = 2; incarnation < 20; incarnation++) {
      node.packet(b, gossip, [alive(c, incarnation)]);
      live(node, 50, [b, d]);
      expect(node.membership.member(c)?.reachable).toBe(false);
    }
  });

  test('who replays old statements changes nothing', () => {
    const node = subject([b, c, d]);
    node.packet(c, gossip, [alive(c, 5)], 5);
    node.take();
    const old = [accusation('suspect', c, d, 4), alive(c, 4), left(c, 4), accusation('dead', c, d, 3)];
    node.packet(b, gossip, old);
    expect(verdicts(node.take())).toEqual([]);
    expect(node.membership.member(c)).toMatchObject({ state: 'alive', incarnation: 5 });
  });

  test('who invents nodes fills a bounded table, and the real ones stay', () => {
    const node = subject([b, c]);
    for (let i = 0; i < limits.membersMax + 100; i++) {
      const ghost = `f${i.toString(16).padStart(31, '0')}` as NodeId;
      node.packet(b, gossip, [alive(ghost)]);
    }
    expect(node.membership.members()).toHaveLength(limits.membersMax);
    expect(verdicts(node.take()).filter((text) => text.startsWith('alarm members-full'))).toHaveLength(102);
    expect(node.membership.member(c)?.state).toBe('alive');
  });
});
