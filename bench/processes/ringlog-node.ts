/** The product as it is shipped: the built command in a process of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { freePort } from './free-port.js';
import type { Inside } from './inside.js';

export interface RinglogNodeOptions {
  readonly dataPath: string;
  readonly processor: number | undefined;
  /** Further flags of `ringlog start`. */
  readonly flags?: readonly string[];
  /** It answers `inside`. */
  readonly attended?: boolean;
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
  readyMs = 0;
  readonly #child: Child;
  readonly #dataPath: string;

  private constructor(child: Child, url: string, dataPath: string) {
    this.#child = child;
    this.url = url;
    this.#dataPath = dataPath;
  }

  /** Resolves when it serves. `onPoll` is called while it does not yet. */
  static async start(options: RinglogNodeOptions, onPoll?: (pid: number) => void): Promise<RinglogNode> {
    const port = await freePort();
    const { dataPath, processor, flags = [], attended = false } = options;
    const nodeFlags = attended ? ['--expose-gc', '--import', attendant] : [];
    const listen = `127.0.0.1:${port}`;
    const args = [...nodeFlags, program, 'start', '--data', dataPath, '--listen', listen, ...flags];
    const begun = performance.now();
    const child = new Child({ name: 'ringlog start', command: process.execPath, args, processor });
    const node = new RinglogNode(child, `http://127.0.0.1:${port}`, dataPath);
    try {
      await node.#ready(begun, onPoll);
    } catch (error) {
      await child.kill();
      throw error;
    }
    return node;
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

  /** Of the administrators' interface. */
  async ask(path: string): Promise<unknown> {
    const answer = await fetch(`${this.url}${path}`, {
      headers: { authorization: `Bearer ${this.token}` },
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

  async #ready(begun: number, onPoll?: (pid: number) => void): Promise<void> {
    while (performance.now() - begun < readyLimitMs) {
      if (!this.#child.isRunning) throw new Error(`the node ended before it served:\n${this.#child.output}`);
      if (await isHealthy(this.url)) {
        this.readyMs = performance.now() - begun;
        return;
      }
      onPoll?.(this.pid);
      await pause(pollMs);
    }
    throw new Error(`the node did not serve within ${readyLimitMs} ms:\n${this.#child.output}`);
  }
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
