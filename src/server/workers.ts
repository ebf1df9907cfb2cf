/** Processes that serve clients in place of the node's own, so that all processors do. The node takes each connection and hands it
 *  to the next of them; each is an edge node of its own, found by nobody but the others of its cluster. One that ends is
 *  replaced. */
import { type ChildProcess, fork } from 'node:child_process';
import { type Server, type Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { OwnTallies } from '../engine/people/tallies.js';
import type { ListenAddress } from './listen-address.js';
import type { Logger } from './logger.js';
import { tallied } from './worker-tallies.js';
import type { FromWorker, ToWorker, WorkerStart } from './worker-start.js';

/** From the end of one to the start of the next: doubled with each that did not live for long. */
const backOffMs = { min: 100, max: 10_000 };
const longLifeMs = 30_000;
/** A worker closes its sessions and ends within this; else it is killed. */
const stopMs = 10_000;
/** Connections that wait for the first worker to be ready; more are closed. */
const waitingMax = 1_024;

interface Worker {
  readonly process: ChildProcess;
  readonly startedMs: number;
  isReady: boolean;
}

export class Workers {
  readonly address: ListenAddress;
  readonly #server: Server;
  readonly #logger: Logger;
  readonly #workers = new Set<Worker>();
  readonly #waiting: Socket[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #start: WorkerStart | undefined;
  #turn = 0;
  #shortLives = 0;
  #isStopping = false;

  private constructor(
    server: Server,
    address: ListenAddress,
    logger: Logger,
    readonly tallies: OwnTallies,
  ) {
    this.#server = server;
    this.address = address;
    this.#logger = logger;
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** Rejects with Node's error where that is not possible. Connections wait until a worker is ready. */
  static async listen({ host, port }: ListenAddress, logger: Logger, tallies: OwnTallies): Promise<Workers> {
    // Nothing of a connection is read here.
    const server = createServer({ pauseOnConnect: true, noDelay: true });
    const at = host === 'localhost' ? '127.0.0.1' : host;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: at, port, backlog: 4_096 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const own = { host: at, port: (server.address() as AddressInfo).port };
    return new Workers(server, own, logger, tallies);
  }

  start(count: number, start: WorkerStart): void {
    this.#start = start;
    for (let i = 0; i < count; i++) this.#spawn();
  }

  /** Takes no more connections; resolves once all workers have closed their sessions and ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#server.close();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    await Promise.all([...this.#workers].map((worker) => this.#end(worker)));
  }

  #end({ process: child }: Worker): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
      child.once('exit', () => {
        clearTimeout(late);
        resolve();
      });
      if (child.connected) child.send('stop' satisfies ToWorker, () => undefined);
      else child.kill('SIGKILL');
    });
  }

  #spawn(): void {
    const child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    const worker: Worker = { process: child, startedMs: performance.now(), isReady: false };
    this.#workers.add(worker);
    child.on('message', (message: FromWorker) => this.#heard(worker, message));
    child.on('error', (error) => this.#logger.error({ err: error }, 'A worker cannot be talked to.'));
    child.once('exit', (code, signal) => this.#ended(worker, signal ?? code));
    this.#passLog(child);
    child.send(this.#start!, () => undefined);
  }

  /** Its log lines are the node's. */
  #passLog(child: ChildProcess): void {
    let rest = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#told(child.pid, line);
    });
  }

  #told(pid: number | undefined, line: string): void {
    try {
      const { level = 'error', msg, time: _, ...rest } = JSON.parse(line) as Record<string, string>;
      const log = level === 'fatal' ? 'error' : (level as 'info' | 'warn' | 'error' | 'debug' | 'trace');
      this.#logger[log]({ ...rest, worker: pid }, msg ?? '');
    } catch {
      this.#logger.error({ worker: pid }, line);
    }
  }

  #heard(worker: Worker, message: FromWorker): void {
    if (message === 'ready') return this.#ready(worker);
    const answer = tallied(this.tallies, message);
    if (answer && worker.process.connected) worker.process.send(answer satisfies ToWorker, () => undefined);
  }

  #ready(worker: Worker): void {
    worker.isReady = true;
    for (const socket of this.#waiting.splice(0)) this.#take(socket);
  }

  #ended(worker: Worker, how: string | number | null): void {
    this.#workers.delete(worker);
    if (this.#isStopping) return;
    const isShort = performance.now() - worker.startedMs < longLifeMs;
    this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    const waitMs = Math.min(backOffMs.max, backOffMs.min * 2 ** Math.max(0, this.#shortLives - 1));
    this.#logger.warn(
      { worker: worker.process.pid, how, waitMs },
      'A worker has ended; another one is started.',
    );
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#spawn();
    }, waitMs);
    this.#timers.add(timer);
  }

  /** Each gets the next. */
  #take(socket: Socket): void {
    socket.on('error', () => undefined);
    const ready = [...this.#workers].filter(({ isReady, process: { connected } }) => isReady && connected);
    const worker = ready[this.#turn++ % Math.max(1, ready.length)];
    if (worker) worker.process.send('connection' satisfies ToWorker, socket, {}, () => undefined);
    else if (this.#waiting.length < waitingMax && !this.#isStopping) this.#waiting.push(socket);
    else socket.destroy();
  }
}
