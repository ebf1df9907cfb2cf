/** The simulated network between nodes keeps what `Peers` in src/engine/ports.ts promises, and breaks what it does not. */
import { expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import type { PeerHandlers, Peers } from '../../src/engine/ports.js';
import { chanceFor } from '../../simulations/cluster/chance.js';
import { PeerNetwork } from '../../simulations/cluster/peer-network.js';
import { Trace } from '../../simulations/cluster/trace.js';
import { Weather } from '../../simulations/cluster/weather.js';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { Life, Machine } from '../../simulations/world/machine.js';

class Node implements PeerHandlers {
  readonly heard: string[] = [];
  readonly id: NodeId;
  readonly address: string;
  machine: Machine;
  life!: Life;
  peers!: Peers;

  constructor(
    readonly net: Net,
    readonly name: string,
  ) {
    this.id = name.repeat(16) as NodeId;
    this.address = `${name}:7946`;
    this.machine = new Machine(net.line);
    this.boot();
  }

  boot(): void {
    this.life = new Life(this.machine);
    const { name, id, address, life } = this;
    this.peers = this.net.network.port({ name, id, address, life });
    this.peers.start(this);
  }

  kill(): void {
    this.life.end();
    this.net.network.nodeGone(this.name, false);
  }

  keep(...others: readonly Node[]): void {
    this.peers.keepLinks(new Map(others.map(({ id, address }) => [id, address])));
  }

  linked(peer: NodeId): void {
    this.heard.push(`linked ${peer.slice(0, 2)}`);
  }

  unlinked(peer: NodeId): void {
    this.heard.push(`unlinked ${peer.slice(0, 2)}`);
  }

  received(peer: NodeId, message: Uint8Array): void {
    this.heard.push(`${peer.slice(0, 2)}: ${message.join()}`);
  }

  packet(address: string, packet: Uint8Array): void {
    this.heard.push(`packet ${address} ${packet.join()}`);
  }

  pulse(node: NodeId, ageMs: number): void {
    this.heard.push(`pulse ${node.slice(0, 2)} ${Math.floor(ageMs / 100)}`);
  }

  asked(question: Uint8Array): Uint8Array | undefined {
    return question[0] === 1 ? Uint8Array.of(2) : undefined;
  }
}

class Net {
  readonly line = new SimulatedClock();
  readonly weather = new Weather(this.line, chanceFor(1, 'weather'));
  readonly network = new PeerNetwork(
    this.weather,
    chanceFor(1, 'links'),
    new Trace(() => this.line.monotonicMs()),
    chanceFor(1, 'pulses'),
  );

  async pass(ms: number): Promise<void> {
    await this.line.until(this.line.sleep(ms));
  }
}

function two(): [Net, Node, Node] {
  const net = new Net();
  return [net, new Node(net, 'n1'), new Node(net, 'n2')];
}

test('a link both want stands once, and carries messages in the order they were sent', async () => {
  const [net, a, b] = two();
  a.keep(b);
  b.keep(a);
  await net.pass(100);
  const buffer = Uint8Array.of(0);
  for (let i = 0; i < 5; i++) {
    buffer[0] = i;
    a.peers.send(b.id, buffer);
  }
  await net.pass(100);
  expect(a.heard).toEqual(['linked n2']);
  expect(b.heard).toEqual(['linked n1', 'n1: 0', 'n1: 1', 'n1: 2', 'n1: 3', 'n1: 4']);
});

test('no handler is called from within a call', async () => {
  const [net, a, b] = two();
  a.keep(b);
  await net.pass(100);
  const before = [a.heard.length, b.heard.length];
  a.peers.send(b.id, Uint8Array.of(1));
  a.peers.sendPacket(b.address, Uint8Array.of(2));
  a.keep();
  expect([a.heard.length, b.heard.length]).toEqual(before);
  await net.pass(100);
  expect(a.heard.at(-1)).toBe('unlinked n2');
  expect(b.heard).toContain('unlinked n1');
});

test('a process that dies is told of as gone, and linked again when it is back', async () => {
  const [net, a, b] = two();
  a.keep(b);
  await net.pass(100);
  b.kill();
  await net.pass(100);
  expect(a.heard).toEqual(['linked n2', 'unlinked n2']);
  a.peers.send(b.id, Uint8Array.of(1));
  b.boot();
  await net.pass(5_000);
  expect(a.heard).toEqual(['linked n2', 'unlinked n2', 'linked n2']);
  expect(b.heard).toEqual(['linked n1', 'linked n1']);
});

test('a path that stands still delivers everything once it is open, and breaks the link when that lasts', async () => {
  const [net, a, b] = two();
  a.keep(b);
  await net.pass(100);
  const open = net.weather.block('n1', 'n2');
  a.peers.send(b.id, Uint8Array.of(7));
  await net.pass(1_000);
  expect(b.heard).toEqual(['linked n1']);
  open();
  await net.pass(10);
  expect(b.heard).toEqual(['linked n1', 'n1: 7']);
  net.weather.block('n1', 'n2');
  a.peers.send(b.id, Uint8Array.of(8));
  await net.pass(25_000);
  expect(b.heard).toEqual(['linked n1', 'n1: 7', 'unlinked n1']);
  expect(a.heard.at(-1)).toBe('unlinked n2');
});

test('packets are lost and repeated as the weather says, and never pass a blocked path', async () => {
  const [net, a, b] = two();
  net.weather.conditions = { latencyMs: 1, jitterMs: 20, loss: 0.3, duplication: 0.3 };
  for (let i = 0; i < 200; i++) a.peers.sendPacket(b.address, Uint8Array.of(i));
  await net.pass(200);
  const got = b.heard.map((line) => line.split(' ')[2]);
  expect(new Set(got).size).toBeGreaterThan(100);
  expect(new Set(got).size).toBeLessThan(180);
  expect(got.length).toBeGreaterThan(new Set(got).size);
  expect(got).not.toEqual([...got].sort((x, y) => Number(x) - Number(y)));
  net.weather.block('n1', 'n2');
  const before = b.heard.length;
  for (let i = 0; i < 50; i++) a.peers.sendPacket(b.address, Uint8Array.of(i));
  await net.pass(200);
  expect(b.heard.length).toBe(before);
});

test('a question has an answer, or is given up after about a second', async () => {
  const [net, a, b] = two();
  expect(await net.line.until(a.peers.ask(b.address, Uint8Array.of(1)))).toEqual(Uint8Array.of(2));
  const startMs = net.line.monotonicMs();
  await expect(net.line.until(a.peers.ask('nowhere:1', Uint8Array.of(1)))).rejects.toThrow('does not answer');
  await expect(net.line.until(a.peers.ask(b.address, Uint8Array.of(9)))).rejects.toThrow('does not answer');
  expect(net.line.monotonicMs() - startMs).toBeLessThan(2_500);
});

test('a pulse is told beside a main thread that is stuck, and not by what stands still whole', async () => {
  const [net, a, b] = two();
  const asked = async (): Promise<readonly string[]> => {
    a.peers.askPulse(b.id);
    await net.pass(5);
    return a.heard.splice(0);
  };
  expect(await asked()).toEqual(['pulse n2 0']);
  b.machine.stick();
  await net.pass(1_000);
  expect(await asked()).toEqual(['pulse n2 10']);
  b.machine.resume();
  b.machine.pause();
  expect(await asked()).toEqual([]);
  b.machine.resume();
  const open = net.weather.block('n1', 'n2');
  expect(await asked()).toEqual([]);
  open();
  expect(await asked()).toEqual(['pulse n2 0']);
});

test('what comes to a machine that stands still comes all at once when it goes on', async () => {
  const [net, a, b] = two();
  a.keep(b);
  await net.pass(100);
  b.machine.pause();
  for (let i = 0; i < 3; i++) a.peers.send(b.id, Uint8Array.of(i));
  b.life.after(10, () => b.heard.push('timer'));
  await net.pass(1_000);
  expect(b.heard).toEqual(['linked n1']);
  b.machine.resume();
  await net.pass(1);
  expect(b.heard).toEqual(['linked n1', 'n1: 0', 'n1: 1', 'n1: 2', 'timer']);
});
