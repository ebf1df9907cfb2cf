/** The thread of a node's packets, as compiled: it answers for a node that is busy, and not for one that is stuck. */
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test, vi } from 'vitest';
import { writeFixed64 } from '../../src/base/bytes.js';
import type { NodeId } from '../../src/base/ids.js';
import type { BootId } from '../../src/cluster/member.js';
import { encodePacket } from '../../src/cluster/membership-wire.js';
import { type Message, packetTimeBytes } from '../../src/cluster/packet.js';
import { type Packets, openInThread } from '../../src/peer/packets.js';
import { packetSeal } from '../../src/peer/seal.js';
import { freePort } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

vi.setConfig({ testTimeout: 120_000 });

const file = join(projectRoot(), 'dist/peer/packet-thread.js');
const [own, other] = ['a', 'b'].map((each) => each.repeat(32) as NodeId) as [NodeId, NodeId];
const boot = '0123456789abcdef';

let packets: Packets | undefined;
let prober: Worker | undefined;
afterEach(async () => {
  await prober?.terminate();
  await packets?.close();
});

function packet(from: NodeId, to: NodeId, message: Message): Uint8Array {
  const encoded = encodePacket({ from, boot: boot as BootId, incarnation: 1, to, message, news: [] });
  const bytes = new Uint8Array(packetTimeBytes + encoded.length);
  writeFixed64(bytes, 0, Date.now());
  bytes.set(encoded, packetTimeBytes);
  return bytes;
}

/** Pings without a pause, in a thread of its own, and counts what comes back. */
const probing = `
  const { workerData } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp4');
  const count = new Int32Array(workerData.shared);
  socket.on('message', () => Atomics.add(count, 0, 1));
  setInterval(() => socket.send(workerData.ping, workerData.port, '127.0.0.1'), 10);
`;

/** The main thread does nothing else for so long. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a busy node is answered for, a stuck one is not, and one that runs again answers itself', async () => {
  const port = await freePort();
  const taken: Uint8Array[] = [];
  const under = { cluster: 'c', node: own, boot };
  packets = await openInThread(
    {
      at: { host: '127.0.0.1', port },
      own: under,
      security: { kind: 'plain' },
      received: (bytes) => void taken.push(bytes),
      failed: (error) => {
        throw error;
      },
    },
    file,
  );
  // From what it sends the thread knows what the node says of itself.
  packets.send(packet(own, other, { type: 'gossip' }), '127.0.0.1', port);
  const shared = new SharedArrayBuffer(4);
  const answered = new Int32Array(shared);
  const theirs = packetSeal({ ...under, node: other }, { kind: 'plain' });
  const ping = theirs.seal(packet(other, own, { type: 'ping', seq: 1 }))!;
  prober = new Worker(probing, { eval: true, workerData: { ping, port, shared } });
  await vi.waitUntil(() => taken.length > 10, { timeout: 60_000 });
  // Nobody answers here but the thread, and it does not where the node could.
  const whileBusy = (): number => {
    const before = Atomics.load(answered, 0);
    block(200);
    return Atomics.load(answered, 0) - before;
  };
  await vi.waitFor(() => expect(whileBusy()).toBeGreaterThan(0), { timeout: 60_000 });
  const whileStuck = (): number => {
    block(1_000);
    const before = Atomics.load(answered, 0);
    block(500);
    return Atomics.load(answered, 0) - before;
  };
  await vi.waitFor(() => expect(whileStuck()).toBe(0), { timeout: 60_000 });
  const before = taken.length;
  await vi.waitUntil(() => taken.length > before + 10, { timeout: 60_000 });
});

test('a port that is taken is refused, and free again once it is closed', async () => {
  const port = await freePort();
  const options = {
    at: { host: '127.0.0.1', port },
    own: { cluster: 'c', node: own, boot },
    security: { kind: 'plain' } as const,
    received: () => undefined,
    failed: () => undefined,
  };
  const taken = createSocket('udp4');
  await new Promise<void>((resolve) => taken.bind({ address: '127.0.0.1', port, exclusive: true }, resolve));
  await expect(openInThread(options, file)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await new Promise<void>((resolve) => taken.close(resolve));
  const first = await openInThread(options, file);
  await first.close();
  packets = await openInThread(options, file);
});
