/** A node's pulse (R37): a thread beside its loop says on a UDP port of its own how long ago the loop ran. It is asked only where
 *  the node itself is silent, and by its answer a busy node is told from a dead one, and a stuck one from both: what that means is
 *  for membership to judge. The same thread asks the pulses of others. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type AddressBook, parseAddress } from './addresses.js';
import type { Hello } from './hello.js';
import type { PacketSecurity, SealedUnder } from './seal.js';

export interface PulseOptions {
  readonly host: string;
  /** Tried first. */
  readonly port: number;
  readonly own: SealedUnder;
  readonly security: PacketSecurity;
  readonly addresses: AddressBook;
  /** Program of the thread, where it is not beside this one. */
  readonly program?: string | undefined;
  /** The loop of that node ran `ageMs` ago. */
  heard(node: NodeId, ageMs: number): void;
  /** From now on nobody is told, and nobody asked. */
  failed(error: Error): void;
}

export interface ThreadStart extends Pick<PulseOptions, 'host' | 'port' | 'own' | 'security'> {
  /** When the loop last ran, by `threadsClockMs`. */
  readonly beat: BigInt64Array;
}

export type ToThread =
  | { readonly type: 'met'; readonly node: NodeId; readonly boot: string }
  | { readonly type: 'ask'; readonly node: NodeId; readonly host: string; readonly port: number };

export type FromThread =
  | { readonly type: 'bound'; readonly port: number }
  | { readonly type: 'pulse'; readonly node: NodeId; readonly ageMs: number };

interface Met {
  readonly boot: string;
  readonly host: string;
  readonly port: number;
}

/** The system's monotonic clock: all threads share it. */
export function threadsClockMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

const programFile = fileURLToPath(new URL('./pulse-thread.js', import.meta.url));

export class Pulse {
  readonly port: number;
  readonly #thread: Worker;
  readonly #beating: NodeJS.Timeout;
  readonly #addresses: AddressBook;
  readonly #met = new Map<NodeId, Met>();

  private constructor(thread: Worker, port: number, beating: NodeJS.Timeout, options: PulseOptions) {
    this.port = port;
    this.#thread = thread;
    this.#beating = beating;
    this.#addresses = options.addresses;
    thread.on('message', (message: FromThread) => {
      if (message.type === 'pulse') options.heard(message.node, message.ageMs);
    });
    thread.on('error', (error) => options.failed(error));
  }

  /** `undefined` where the thread's program is not there: it runs as it was compiled, and sources are not. */
  static async open(options: PulseOptions): Promise<Pulse | undefined> {
    const { host, port, own, security, program = programFile } = options;
    if (!existsSync(program)) return undefined;
    const beat = new BigInt64Array(new SharedArrayBuffer(8));
    const run = (): void => void Atomics.store(beat, 0, BigInt(threadsClockMs()));
    run();
    const start: ThreadStart = { host, port, own: underOf(own), security: copyOf(security), beat };
    const thread = new Worker(program, { workerData: start });
    const bound = await new Promise<number>((resolve, reject) => {
      thread.once('error', reject);
      thread.once('message', (message: FromThread) => {
        thread.off('error', reject);
        if (message.type === 'bound') resolve(message.port);
      });
    });
    thread.unref();
    return new Pulse(thread, bound, setInterval(run, limits.pulseBeatMs).unref(), options);
  }

  /** That process runs, and no earlier one of its node. */
  met({ node, boot, address, pulsePort }: Hello): void {
    const before = this.#met.get(node);
    const host = parseAddress(address)?.host ?? '';
    if (before?.boot === boot && before.host === host && before.port === pulsePort) return;
    if (before?.boot !== boot) this.#tell({ type: 'met', node, boot });
    this.#met.delete(node);
    if (this.#met.size >= limits.membersMax) this.#met.delete(this.#met.keys().next().value!);
    this.#met.set(node, { boot, host, port: pulsePort });
  }

  /** It is asked no more, until it is met again. */
  forget(node: NodeId): void {
    this.#met.delete(node);
  }

  ask(node: NodeId): void {
    const { host, port } = this.#met.get(node) ?? { host: '', port: 0 };
    const ip = port > 0 ? this.#addresses.numberOf(host) : undefined;
    if (ip !== undefined) this.#tell({ type: 'ask', node, host: ip, port });
  }

  stop(): void {
    clearInterval(this.#beating);
    void this.#thread.terminate();
  }

  #tell(message: ToThread): void {
    this.#thread.postMessage(message);
  }
}

function underOf({ cluster, node, boot }: SealedUnder): SealedUnder {
  return { cluster, node, boot };
}

/** A view of few bytes would take with it all that lie beside them. */
function copyOf(security: PacketSecurity): PacketSecurity {
  if (security.kind === 'plain') return { kind: 'plain' };
  return { kind: 'sealed', packetSecret: Uint8Array.from(security.packetSecret) };
}
