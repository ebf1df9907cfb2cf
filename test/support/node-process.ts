/**
 * A real node: the built command in a process of its own, on a free port, with a data directory of its own.
 *
 *   const node = await NodeProcess.start();
 *   await node.kill();       SIGKILL, as if the power went
 *   await node.start();      on the same port and data
 *   await node.remove();     stopped, its data deleted
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fetchTrusting } from '../../src/cli/trusting.js';
import { freePort } from './free-port.js';
import { projectRoot } from './project-root.js';

export interface NodeProcessOptions {
  /** Its data directory is made below this folder; default: the system's temporary one. */
  readonly below?: string;
  /** Further arguments of `ringlog start`. */
  readonly args?: readonly string[];
  /** Settings of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Clients speak TLS; the certificate is one of its own. */
  readonly tls?: boolean;
  /** Nodes of the same name find each other; without one a node stays alone. */
  readonly cluster?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const readyLimitMs = 60_000;
const stopLimitMs = 30_000;
const pollMs = 25;
const outputKeptMax = 65_536;
const portsTriedMax = 20;

export class NodeProcess {
  readonly url: string;
  readonly dataPath: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #args: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  #output = '';
  #removed = false;
  readonly #killAtExit = () => void this.#child?.kill('SIGKILL');

  private constructor(port: number, options: NodeProcessOptions) {
    this.#port = port;
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.#folder = mkdtempSync(join(options.below ?? tmpdir(), 'ringlog-node-'));
    this.dataPath = join(this.#folder, 'data');
    const found = options.cluster === undefined ? ['--join', 'none'] : ['--cluster-name', options.cluster];
    this.#args = [...found, ...(options.tls ? ['--tls', 'auto'] : []), ...(options.args ?? [])];
    this.#environment = options.environment ?? {};
  }

  /** Starts a new node on a free port; resolves when it serves. */
  static async start(options: NodeProcessOptions = {}): Promise<NodeProcess> {
    for (let tries = 1; ; tries++) {
      const node = new NodeProcess(await freePort(), options);
      try {
        await node.start();
        return node;
      } catch (error) {
        await node.remove();
        // A program that is none of ours took the port between our look and the node's.
        const taken = error instanceof Error && error.message.includes('Another program listens');
        if (!taken || tries === portsTriedMax) throw error;
      }
    }
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get segmentsPath(): string {
    return join(this.dataPath, 'store', 'segments');
  }

  /** Of a node that speaks TLS: what clients have to trust. */
  get certificate(): string {
    return readFileSync(join(this.dataPath, 'tls-cert.pem'), 'utf8');
  }

  /** The last it wrote, of all its lives. */
  get output(): string {
    return this.#output;
  }

  /** Starts the process; resolves when it serves, or with `wait: 'none'` at once. Rejects when it ends before. */
  async start(options: { readonly wait: 'ready' | 'none' } = { wait: 'ready' }): Promise<void> {
    if (this.#child) throw new Error('the node runs already');
    // Whoever kills and starts it may be overtaken by whoever gives up.
    if (this.#removed) throw new Error('the node is removed');
    const command = join(projectRoot(), 'dist/cli/main.js');
    if (!existsSync(command)) throw new Error('dist/ is not built: run `npm run build`');
    const child = spawn(
      process.execPath,
      [
        ...engineFlags(),
        command,
        'start',
        '--data',
        this.dataPath,
        '--listen',
        `127.0.0.1:${this.#port}`,
        ...this.#args,
      ],
      // Settings of whoever runs the tests are not this node's.
      {
        cwd: this.#folder,
        env: { ...withoutSettings(process.env), ...this.#environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    process.once('exit', this.#killAtExit);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    this.#exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        process.off('exit', this.#killAtExit);
        if (this.#child === child) this.#child = undefined;
        resolve({ code, signal });
      });
    });
    if (options.wait === 'ready') await this.ready();
  }

  /** Resolves when /healthz answers; rejects when the process ends first. */
  async ready(): Promise<void> {
    const deadline = performance.now() + readyLimitMs;
    while (performance.now() < deadline) {
      if (!this.#child) throw new Error(`the node ended before it served:\n${this.#output}`);
      if (await this.#isHealthy()) return;
      await pause(pollMs);
    }
    throw new Error(`the node did not serve within ${readyLimitMs} ms:\n${this.#output}`);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** False when there is no process. */
  signal(name: NodeJS.Signals): boolean {
    return this.#child?.kill(name) ?? false;
  }

  /** SIGTERM; resolves when it has ended by itself. Rejects when it does not, and kills it. */
  async stop(): Promise<Exit> {
    this.#child?.kill('SIGTERM');
    const late = new AbortController();
    const exit = await Promise.race([
      this.#exited,
      pause(stopLimitMs, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    if (exit) return exit;
    await this.kill();
    throw new Error(`the node did not stop within ${stopLimitMs} ms:\n${this.#output}`);
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    this.#removed = true;
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const [url, signal] = [`${this.url}/healthz`, AbortSignal.timeout(2_000)];
      const response = await (url.startsWith('https:')
        ? fetchTrusting(this.certificate, url, { method: 'GET', headers: {}, signal })
        : fetch(url, { signal }));
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-outputKeptMax);
  }
}

/** Of the JavaScript engine; vitest.config.ts sets them. */
function engineFlags(): readonly string[] {
  return process.env['RINGLOG_TEST_ENGINE_FLAGS']?.split(' ') ?? [];
}

function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('RINGLOG_') && name !== 'NODE_OPTIONS'),
  );
}
