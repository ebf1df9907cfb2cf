/** What every `Peers` must do (src/engine/ports.ts). */
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import type { PeerHandlers, Peers } from '../../src/engine/ports.js';

export interface PeersEnd {
  readonly id: NodeId;
  readonly address: string;
  readonly peers: Peers;
}

export interface PeersWorld {
  /** A process of a node, with the same address at every start. */
  open(name: string): Promise<PeersEnd>;
  /** The process is gone without a word. */
  kill(name: string): void;
  /** Resolves when it holds; rejects when it never does. */
  becomes(condition: () => boolean): Promise<void>;
  /** Long enough for what would happen to have happened. */
  pass(): Promise<void>;
  run<T>(task: () => Promise<T>): Promise<T>;
  done(): Promise<void>;
}

/** A node that writes down what it is told. */
class Node implements PeerHandlers {
  readonly heard: string[] = [];
  readonly linkedTo = new Set<NodeId>();
  letters = 0;

  constructor(readonly end: PeersEnd) {
    end.peers.start(this);
  }

  get id(): NodeId {
    return this.end.id;
  }

  keep(...others: readonly Node[]): void {
    this.end.peers.keepLinks(new Map(others.map(({ end }) => [end.id, end.address])));
  }

  linked(peer: NodeId): void {
    expect(this.linkedTo.has(peer)).toBe(false);
    this.linkedTo.add(peer);
    this.heard.push('linked');
  }

  unlinked(peer: NodeId): void {
    expect(this.linkedTo.has(peer)).toBe(true);
    this.linkedTo.delete(peer);
    this.heard.push('unlinked');
  }

  received(peer: NodeId, message: Uint8Array): void {
    expect(this.linkedTo.has(peer)).toBe(true);
    this.letters++;
    this.heard.push(message.length > 8 ? `${message.length} bytes` : message.join());
  }

  packet(_address: string, packet: Uint8Array): void {
    this.heard.push(`packet ${packet.length > 8 ? `of ${packet.length} bytes` : packet.join()}`);
  }

  pulse(node: NodeId): void {
    this.heard.push(`pulse ${node[0]}`);
  }

  asked(question: Uint8Array): Uint8Array | undefined {
    return question[0] === 1 ? Uint8Array.of(2, question[1] ?? 0) : undefined;
  }
}

export function peersContract(name: string, make: () => Promise<PeersWorld>): void {
  type Open = (name: string) => Promise<Node>;
  const scenario = (title: string, body: (world: PeersWorld, open: Open) => Promise<void>): void =>
    test(title, async () => {
      const world = await make();
      try {
        await world.run(() => body(world, async (each) => new Node(await world.open(each))));
      } finally {
        await world.done();
      }
    });

  /** Two with a link. */
  const pair = async (world: PeersWorld, open: Open): Promise<[Node, Node]> => {
    const [a, b] = [await open('a'), await open('b')];
    a.keep(b);
    b.keep(a);
    await world.becomes(() => a.linkedTo.size === 1 && b.linkedTo.size === 1);
    return [a, b];
  };

  describe(`peers: ${name}`, () => {
    scenario('two that keep a link with each other have one, and both are told', async (world, open) => {
      const [a, b] = await pair(world, open);
      await world.pass();
      expect([a.heard, b.heard]).toEqual([['linked'], ['linked']]);
      expect([...a.linkedTo]).toEqual([b.id]);
      expect([...b.linkedTo]).toEqual([a.id]);
    });

    scenario('one that knows the other is enough', async (world, open) => {
      for (const [one, other] of [
        ['a', 'b'],
        ['d', 'c'],
      ] as const) {
        const [knows, known] = [await open(one), await open(other)];
        knows.keep(known);
        await world.becomes(() => knows.linkedTo.size === 1 && known.linkedTo.size === 1);
      }
    });

    scenario('letters come in their order, both ways, and are copied at once', async (world, open) => {
      const [a, b] = await pair(world, open);
      const bytes = new Uint8Array(2);
      for (let i = 1; i <= 100; i++) {
        bytes.set([0, i]);
        a.end.peers.send(b.id, bytes);
        bytes.set([1, i]);
        b.end.peers.send(a.id, bytes);
      }
      bytes.fill(255);
      await world.becomes(() => a.letters === 100 && b.letters === 100);
      const numbers = Array.from({ length: 100 }, (_, i) => i + 1);
      expect(a.heard).toEqual(['linked', ...numbers.map((i) => `1,${i}`)]);
      expect(b.heard).toEqual(['linked', ...numbers.map((i) => `0,${i}`)]);
    });

    scenario('a large letter comes whole, and the next one behind it', async (world, open) => {
      const [a, b] = await pair(world, open);
      a.end.peers.send(b.id, new Uint8Array(3_000_000));
      a.end.peers.send(b.id, Uint8Array.of(7));
      await world.becomes(() => b.letters === 2);
      expect(b.heard).toEqual(['linked', '3000000 bytes', '7']);
    });

    scenario('what has no link goes nowhere', async (world, open) => {
      const [a, b] = [await open('a'), await open('b')];
      a.end.peers.send(b.id, Uint8Array.of(1));
      a.keep(b);
      await world.becomes(() => b.linkedTo.size === 1 && a.linkedTo.size === 1);
      a.end.peers.send(b.id, Uint8Array.of(2));
      await world.becomes(() => b.letters > 0);
      expect(b.heard).toEqual(['linked', '2']);
    });

    scenario('a link that is not kept any more ends, and the other side is told', async (world, open) => {
      const [a, b] = await pair(world, open);
      b.keep();
      expect(b.heard).toEqual(['linked']);
      a.keep();
      await world.becomes(() => a.linkedTo.size === 0 && b.linkedTo.size === 0);
      await world.pass();
      expect([a.heard, b.heard]).toEqual([
        ['linked', 'unlinked'],
        ['linked', 'unlinked'],
      ]);
    });

    scenario('a node that was killed is missed, and linked again when it is back', async (world, open) => {
      const [a, b] = await pair(world, open);
      world.kill('b');
      await world.becomes(() => a.linkedTo.size === 0);
      const back = await open('b');
      expect(back.id).toBe(b.id);
      back.keep(a);
      await world.becomes(() => a.linkedTo.size === 1 && back.linkedTo.size === 1);
      back.end.peers.send(a.id, Uint8Array.of(3));
      await world.becomes(() => a.letters === 1);
      expect(a.heard).toEqual(['linked', 'unlinked', 'linked', '3']);
    });

    scenario('one that stops is missed, and is told nothing any more', async (world, open) => {
      const [a, b] = await pair(world, open);
      b.end.peers.stop();
      await world.becomes(() => a.linkedTo.size === 0);
      await world.pass();
      expect(b.heard).toEqual(['linked']);
    });

    scenario('packets come, between those who have met', async (world, open) => {
      const [a, b] = await pair(world, open);
      // Any one of them may be lost.
      await world.becomes(() => {
        a.end.peers.sendPacket(b.end.address, Uint8Array.of(1, 2));
        b.end.peers.sendPacket(a.end.address, Uint8Array.of(3));
        return a.heard.includes('packet 3') && b.heard.includes('packet 1,2');
      });
    });

    scenario('a question has its answer, without a link', async (world, open) => {
      const [a, b] = [await open('a'), await open('b')];
      const ask = () => a.end.peers.ask(b.end.address, Uint8Array.of(1, 9)).catch(() => undefined);
      // It may be late.
      const answer = (await ask()) ?? (await ask()) ?? (await ask());
      expect(Uint8Array.from(answer ?? [])).toEqual(Uint8Array.of(2, 9));
      expect([a.heard, b.heard]).toEqual([[], []]);
    });

    scenario('a question that makes no sense, or finds nobody, fails', async (world, open) => {
      const [a, b] = [await open('a'), await open('b')];
      await expect(a.end.peers.ask(b.end.address, Uint8Array.of(0))).rejects.toThrow(/./);
      world.kill('b');
      await expect(a.end.peers.ask(b.end.address, Uint8Array.of(1))).rejects.toThrow(/./);
    });
  });
}
