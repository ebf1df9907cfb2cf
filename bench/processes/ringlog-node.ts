/** The product as it is shipped: the built command in a process of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { freePort } from '../../test/support/free-port.js';
import type { Inside } from './inside.js';
import { isReadable, machineProcessorSeconds, processorSeconds } from './processor-time.js';

export interface RinglogNodeOptions {
  readonly dataPath: string;
  readonly processor: number | undefined;
  /** Peer addresses of other nodes; by default it stays alone. */
  readonly join?: string;
  /** Further flags of `ringlog start`. */
  readonly flags?: readonly string[];
  /** It answers `inside`; by default where nothing else tells its processor time. */
  readonly attended?: boolean;
}

export interface Boot {
  readonly seconds: number;
  /** Where they are known: of the node, and the share of one processor that other programs took meanwhile. */
  readonly processorSeconds?: number;
  readonly foreignShare?: number;
}

export interface NodeCounters {
  /** One write and one sync each. */
  readonly commits: number;
  readonly entries: number;
  readonly deliveries: number;
}

const readyLimitMs = 300_000;
const pollMs = 5;
const attendant = new URL('attendant.js', import.meta.url).href;
const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export class RinglogNode {
  readonly url: string;
  /** From the start of the process until it serves. */
  readonly boot: Boot;
  readonly #child: Child;
  readonly #dataPath: string;

  private constructor(child: Child, url: string, dataPath: string, boot: Boot) {
    this.#child = child;
    this.url = url;
    this.#dataPath = dataPath;
    this.boot = boot;
  }

  /** Resolves when it serves. `onPoll` is called while it does not yet. */
  static async start(options: RinglogNodeOptions, onPoll?: (pid: number) => void): Promise<RinglogNode> {
    const port = await freePort();
    const { dataPath, processor, join: others = 'none', flags = [], attended = !isReadable } = options;
    const nodeFlags = attended ? ['--expose-gc', '--import', attendant] : [];
    const listen = `127.0.0.1:${port}`;
    const found = ['--join', others];
    const args = [...nodeFlags, program, 'start', '--data', dataPath, '--listen', listen, ...found, ...flags];
    const machineBefore = machineProcessorSeconds();
    const begun = performance.now();
    const child = new Child({ name: 'ringlog start', command: process.execPath, args, processor });
    const url = `http://${listen}`;
    try {
      await serving(child, url, onPoll);
    } catch (error) {
      await child.kill();
      throw error;
    }
    const seconds = (performance.now() - begun) / 1_000;
    const used = processorSeconds(child.pid);
    const machine = machineProcessorSeconds();
    const isKnown = used !== undefined && machine !== undefined && machineBefore !== undefined;
    return new RinglogNode(child, url, dataPath, {
      seconds,
      ...(isKnown && {
        processorSeconds: used,
        foreignShare: Math.max(0, machine - machineBefore - used) / seconds,
      }),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get token(): string {
    return readFileSync(join(this.#dataPath, 'admin-token'), 'utf8').trim();
  }

  async counters(): Promise<NodeCounters> {
    const { counters } = (await this.ask('/v1/admin/status')) as { counters: NodeCounters };
    return counters;
  }

  /** Of the administrators' interface; `put`: says what it is to be. */
  async ask(path: string, put?: unknown): Promise<unknown> {
    const authorization = { authorization: `Bearer ${this.token}` };
    const answer = await fetch(`${this.url}${path}`, {
      ...(put === undefined
        ? { headers: authorization }
        : {
            method: 'PUT',
            headers: { ...authorization, 'content-type': 'application/json' },
            body: JSON.stringify(put),
          }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Of an attended one: what the process itself says. */
  async inside(what: Inside): Promise<number> {
    return (await this.#child.ask({ ask: what })) as number;
  }

  /** The last that it wrote. */
  get output(): string {
    return this.#child.output;
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  /** As if the power went. */
  kill(): Promise<void> {
    return this.#child.kill();
  }
}

async function serving(child: Child, url: string, onPoll?: (pid: number) => void): Promise<void> {
  const deadline = performance.now() + readyLimitMs;
  while (performance.now() < deadline) {
    if (!child.isRunning) throw new Error(`the node ended before it served:\n${child.output}`);
    if (await isHealthy(url)) return;
    onPoll?.(child.pid);
    await pause(pollMs);
  }
  throw new Error(`the node did not serve within ${readyLimitMs} ms:\n${child.output}`);
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
