/** Packets from and to other nodes, sealed: in the node's own thread, or in one beside it that answers probes while the node is busy
 *  (packet-thread.ts). */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { limits } from '../base/limits.js';
import { Datagrams } from './datagrams.js';
import type { Hello } from './hello.js';
import type { ListenAt } from './listener.js';
import { type PacketSecurity, type SealedUnder, packetSeal, sealBytes } from './seal.js';

export interface Packets {
  /** Bytes that sealing adds. */
  readonly overhead: number;
  /** Takes the bytes before it returns. */
  send(packet: Uint8Array, ip: string, port: number): void;
  /** That process runs, and no earlier one of its node. */
  met(hello: Pick<Hello, 'node' | 'boot'>): void;
  /** Resolves once the port is free. */
  close(): Promise<void>;
}

export interface PacketsOptions {
  readonly at: ListenAt;
  readonly own: SealedUnder;
  readonly security: PacketSecurity;
  received(packet: Uint8Array, from: string): void;
  /** No packet comes or goes any more. */
  failed(error: Error): void;
}

export interface ThreadStart extends Pick<PacketsOptions, 'at' | 'own' | 'security'> {
  /** `progressAt` says what lies where. */
  readonly progress: Int32Array;
}

/** In `ThreadStart.progress`, both modulo 2^31: milliseconds of the system's monotonic clock when the node last ran, and the number
 *  of the newest packet that it has taken up. */
export const progressAt = { ran: 0, taken: 1 } as const;

export type ToThread =
  | { readonly type: 'send'; readonly packet: Uint8Array; readonly ip: string; readonly port: number }
  | { readonly type: 'met'; readonly hello: Pick<Hello, 'node' | 'boot'> }
  | { readonly type: 'close' };

export type FromThread =
  | { readonly type: 'bound' }
  | { readonly type: 'refused'; readonly code: string | undefined; readonly message: string }
  | { readonly type: 'packet'; readonly packet: Uint8Array; readonly from: string; readonly number: number };

const threadFile = fileURLToPath(new URL('./packet-thread.js', import.meta.url));

/** Rejects with what the system says: EADDRINUSE and the like. */
export function openPackets(options: PacketsOptions): Promise<Packets> {
  // A thread runs what was compiled; where only the source is there, there is none.
  return existsSync(threadFile) ? openInThread(options, threadFile) : openHere(options);
}

export async function openHere(options: PacketsOptions): Promise<Packets> {
  const { at, own, security } = options;
  const seal = packetSeal(own, security);
  const datagrams = await Datagrams.open(at, (datagram, from) => {
    const packet = datagram.length > limits.gossipPacketBytesMax ? undefined : seal.open(datagram);
    if (packet) options.received(packet, from);
  });
  return {
    overhead: sealBytes(own, security),
    send(packet, ip, port) {
      const sealed = seal.seal(packet);
      if (sealed) datagrams.send(sealed, ip, port);
    },
    met: (hello) => seal.met(hello),
    close: async () => datagrams.close(),
  };
}

/** The system's monotonic clock, which all threads share. */
export function threadsClockMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

export async function openInThread(options: PacketsOptions, file: string): Promise<Packets> {
  const { at, own } = options;
  const security: PacketSecurity =
    options.security.kind === 'plain'
      ? { kind: 'plain' }
      : { kind: 'sealed', packetSecret: Uint8Array.from(options.security.packetSecret) };
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const run = (): number => Atomics.store(progress, progressAt.ran, threadsClockMs() % 2 ** 31);
  run();
  const thread = new Worker(file, {
    workerData: { at, own, security, progress } satisfies ThreadStart,
  });
  let isClosing = false;
  const ended = new Promise<void>((resolve) => void thread.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    thread.once('error', reject);
    thread.once('message', (message: FromThread) => {
      thread.off('error', reject);
      if (message.type !== 'refused') return resolve();
      const code = message.code === undefined ? {} : { code: message.code };
      reject(Object.assign(new Error(message.message), code));
    });
  });
  thread.on('message', (message: FromThread) => {
    if (message.type !== 'packet') return;
    run();
    Atomics.store(progress, progressAt.taken, message.number);
    if (!isClosing) options.received(message.packet, message.from);
  });
  thread.on('error', (error) => {
    if (!isClosing) options.failed(error);
  });
  thread.unref();
  const noting = setInterval(run, limits.loopNoteMs).unref();
  const tell = (message: ToThread): void => thread.postMessage(message);
  return {
    overhead: sealBytes(own, security),
    send: (packet, ip, port) => tell({ type: 'send', packet, ip, port }),
    met: ({ node, boot }) => tell({ type: 'met', hello: { node, boot } }),
    close() {
      isClosing = true;
      clearInterval(noting);
      tell({ type: 'close' });
      return ended;
    },
  };
}
