/** The thread beside a node's loop, as compiled, on real sockets: it says how long ago the loop ran, whatever the loop does, to nodes
 *  that were met and to nobody else. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test, vi } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { AddressBook } from '../../src/peer/addresses.js';
import type { Hello } from '../../src/peer/hello.js';
import type { PeerPort } from '../../src/peer/peer-port.js';
import { Pulse, type PulseOptions } from '../../src/peer/pulse.js';
import { decodePulseWord, encodePulseWord } from '../../src/peer/pulse-words.js';
import { packetSeal } from '../../src/peer/seal.js';
import { systemClock } from '../../src/server/system-ports.js';
import { becomes, openPort, sealed, someKey, someNode } from '../peer/support.js';
import { projectRoot } from '../support/project-root.js';

vi.setConfig({ testTimeout: 120_000 });

const program = join(projectRoot(), 'dist/peer/pulse-thread.js');
const waitedMs = 60_000;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(more: Partial<PulseOptions>): Promise<Pulse> {
  const pulse = await Pulse.open({
    host: '127.0.0.1',
    port: 0,
    own: { cluster: 'test', node: someNode(), boot: '0'.repeat(16) },
    security: { kind: 'plain' },
    addresses: new AddressBook(systemClock),
    program,
    heard: () => undefined,
    failed: (error) => {
      throw error;
    },
    ...more,
  });
  closers.push(() => pulse!.stop());
  return pulse!;
}

/** What comes back to a socket of its own. */
async function asker(port: number) {
  const answers: Buffer[] = [];
  const socket = createSocket('udp4').on('message', (datagram) => answers.push(datagram));
  closers.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { answers, send: (datagram: Uint8Array) => socket.send(datagram, port, '127.0.0.1') };
}

/** Asks all the time, beside this thread, and notes the age in the newest answer. */
const asking = `
  const { workerData } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp4');
  const age = new Int32Array(workerData.shared);
  socket.on('message', (answer) => Atomics.store(age, 0, answer.readUInt32LE(answer.length - 4)));
  setInterval(() => socket.send(workerData.question, workerData.port, '127.0.0.1'), 10);
`;

test('says how long ago the loop ran while that is busy, and that it runs again', async () => {
  const own = { cluster: 'test', node: someNode(), boot: '0'.repeat(16) };
  const { port } = await open({ own });
  const question = packetSeal(own, { kind: 'plain' }, 'pulses').seal(
    encodePulseWord({ type: 'question', seq: 7, to: own.node }),
  );
  const shared = new SharedArrayBuffer(4);
  const age = new Int32Array(shared);
  const other = new Worker(asking, { eval: true, workerData: { question, port, shared } });
  closers.push(() => other.terminate());
  for (const busyMs of [200, 2_000]) {
    const begunAt = performance.now();
    // The loop does not run before this is over.
    while (Atomics.load(age, 0) < busyMs && performance.now() - begunAt < waitedMs);
    expect(performance.now() - begunAt).toBeLessThan(waitedMs);
    await becomes(() => Atomics.load(age, 0) <= 150, waitedMs);
  }
});

/** A process whose loop is stuck from the beginning, beside its pulse. */
const stuckProgram = (node: NodeId) => `
  const { Pulse } = await import(${JSON.stringify(pathToFileURL(join(projectRoot(), 'dist/peer/pulse.js')).href)});
  const pulse = await Pulse.open({
    host: '127.0.0.1',
    port: 0,
    own: { cluster: 'test', node: '${node}', boot: '${'0'.repeat(16)}' },
    security: { kind: 'plain' },
    heard: () => undefined,
    failed: () => undefined,
  });
  require('node:fs').writeSync(1, String(pulse.port));
  for (;;);
`;

test('stands still with its process, and ends with it', async () => {
  const node = someNode();
  const child = spawn(process.execPath, ['-e', `(async () => {${stuckProgram(node)}})()`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { answers, send } = await asker(Number(line.toString()));
  const own = { cluster: 'test', node, boot: '0'.repeat(16) };
  const question = packetSeal(own, { kind: 'plain' }, 'pulses').seal(
    encodePulseWord({ type: 'question', seq: 7, to: node }),
  )!;
  const isAnswered = async (tries: number): Promise<boolean> => {
    answers.length = 0;
    for (let i = 0; i < tries && answers.length === 0; i++) {
      send(question);
      await pause(50);
    }
    return answers.length > 0;
  };
  expect(await isAnswered(1_000)).toBe(true);
  child.kill('SIGSTOP');
  // What was under way comes; then nothing does.
  await pause(500);
  expect(await isAnswered(20)).toBe(false);
  child.kill('SIGCONT');
  expect(await isAnswered(1_000)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await pause(200);
  expect(await isAnswered(20)).toBe(false);
});

test('is told between nodes that met, on the port above that of the node, under their key', async () => {
  const key = someKey();
  const openNode = async (node: NodeId): Promise<PeerPort> =>
    await openPort(node, await sealed(key, node), { pulseProgram: program });
  const [a, b] = [await openNode(someNode()), await openNode(someNode())];
  const heard: [NodeId, number][] = [];
  for (const port of [a, b]) {
    closers.push(() => port.stop());
    const nothing = (): undefined => undefined;
    port.start({
      linked: nothing,
      unlinked: nothing,
      received: nothing,
      packet: nothing,
      asked: (question) => question,
      pulse: (node, ageMs) => void heard.push([node, ageMs]),
    });
  }
  expect(a.own.pulsePort).toBeGreaterThan(0);
  a.askPulse(b.own.node);
  await pause(100);
  expect(heard).toEqual([]);
  await a.ask(b.own.address, Uint8Array.of(1));
  await becomes(() => {
    a.askPulse(b.own.node);
    return heard.length > 0;
  });
  expect(heard[0]![0]).toBe(b.own.node);
  expect(heard[0]![1]).toBeGreaterThanOrEqual(0);
});

test('takes another port where the first is taken', async () => {
  const first = await open({});
  const second = await open({ port: first.port });
  expect(second.port).not.toBe(first.port);
});

test('attacks 28, 29 and 30: strangers, recordings and what is meant for another are not answered', async () => {
  const secret = randomBytes(32);
  const security = { kind: 'sealed', packetSecret: secret } as const;
  const own = { cluster: 'test', node: someNode(), boot: '0'.repeat(16) };
  const peer: Hello = {
    cluster: 'test',
    node: someNode(),
    boot: '1'.repeat(16),
    oldest: 1,
    newest: 1,
    address: '127.0.0.1:1',
    pulsePort: 0,
  };
  const pulse = await open({ own, security });
  const { answers, send } = await asker(pulse.port);
  const question = encodePulseWord({ type: 'question', seq: 9, to: own.node });
  const theirs = packetSeal(peer, security, 'pulses');
  const early = theirs.seal(question)!;
  const silently = async (...datagrams: readonly Uint8Array[]): Promise<void> => {
    answers.length = 0;
    datagrams.forEach(send);
    await pause(200);
    expect(answers).toEqual([]);
  };
  // Nobody was met.
  await silently(early, question, ...[1, 16, 47, 48, 100, 1_400, 9_000].map((size) => randomBytes(size)));
  pulse.met(peer);
  await vi.waitUntil(
    () => {
      send(theirs.seal(question)!);
      return answers.length > 0;
    },
    { timeout: waitedMs, interval: 50 },
  );
  const reader = packetSeal(peer, security, 'pulses');
  reader.met(own);
  expect(decodePulseWord(reader.open(answers[0]!)!)).toMatchObject({ type: 'answer', seq: 9 });
  await pause(200);
  const once = theirs.seal(question)!;
  answers.length = 0;
  for (let i = 0; i < 3; i++) send(once);
  await becomes(() => answers.length > 0, waitedMs);
  await pause(200);
  expect(answers).toHaveLength(1);
  const flipped = Uint8Array.from(theirs.seal(question)!);
  flipped[flipped.length - 20]! ^= 1;
  await silently(
    once,
    flipped,
    packetSeal({ ...peer, node: someNode() }, security, 'pulses').seal(question)!,
    packetSeal({ ...peer, boot: '2'.repeat(16) }, security, 'pulses').seal(question)!,
    packetSeal({ ...peer, cluster: 'other' }, security, 'pulses').seal(question)!,
    // The key of its packets is another.
    packetSeal(peer, security).seal(question)!,
    theirs.seal(encodePulseWord({ type: 'question', seq: 9, to: someNode() }))!,
    theirs.seal(encodePulseWord({ type: 'answer', seq: 9, ageMs: 0 }))!,
    theirs.seal(question.subarray(0, 20))!,
    theirs.seal(new Uint8Array(1_300))!,
  );
});
