/** Processes that serve clients in place of the node's own, so that all processors do. The node takes each connection and hands it
 *  to the next of them; each is an edge node of its own, found by nobody but the others of its cluster. One that ends is
 *  replaced, one that stands still is given nothing and ended. A connection is kept open here until its worker says that it has
 *  it: it is handed on where that one ends before. While there is none to hand it to, it is answered here (gateway/stand-in.ts), but for
 *  the first moments of a node, when it waits. */
import { type ChildProcess, fork } from 'node:child_process';
import { type Server, type Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { OwnTallies } from '../engine/people/tallies.js';
import type { ListenAddress } from './listen-address.js';
import type { Observer } from '../engine/ports.js';
import type { TlsMaterial } from '../gateway/context.js';
import { StandIn } from '../gateway/stand-in.js';
import type { Logger } from './logger.js';
import { type TallyAsked, tallied } from './worker-tallies.js';
import { WorkerSilence, endAfter } from './worker-silence.js';
import type { FromWorker, ToWorker, WorkerStart } from './worker-start.js';

/** From the end of one to the start of the next: doubled with each that did not live for long. */
const backOffMs = { min: 100, max: 10_000 };
const longLifeMs = 30_000;
/** A worker closes its sessions and ends within this; else it is killed. */
const stopMs = 10_000;
/** So long connections wait for the first worker to come up; then they are answered here. */
const firstServesMs = 10_000;
/** Connections that wait until it is known where the node answers; more are closed. */
const waitingMax = 1_024;

interface Worker {
  readonly process: ChildProcess;
  readonly startedMs: number;
  isReady: boolean;
  readonly silence: WorkerSilence;
  /** Asked, and not answered yet. */
  isAsked: boolean;
  /** Handed to it, and not taken yet, by number. */
  readonly handed: Map<number, Socket>;
}

export interface WorkersTold {
  readonly logger: Logger;
  readonly observer: Observer;
  readonly tallies: OwnTallies;
}

export class Workers {
  readonly address: ListenAddress;
  readonly #server: Server;
  readonly #logger: Logger;
  readonly #observer: Observer;
  readonly #tallies: OwnTallies;
  readonly #workers = new Set<Worker>();
  readonly #waiting: Socket[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #standIn: StandIn | undefined;
  #isUp = false;
  #start: WorkerStart | undefined;
  #lastNumber = 0;
  #turn = 0;
  #shortLives = 0;
  #looking: NodeJS.Timeout | undefined;
  #isStopping = false;

  private constructor(server: Server, address: ListenAddress, { logger, observer, tallies }: WorkersTold) {
    this.#server = server;
    this.address = address;
    this.#logger = logger;
    this.#observer = observer;
    this.#tallies = tallies;
    server.on('connection', (socket: Socket) => this.#take(socket.on('error', () => undefined)));
  }

  /** Rejects with Node's error where that is not possible. */
  static async listen({ host, port }: ListenAddress, told: WorkersTold): Promise<Workers> {
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
    return new Workers(server, { host: at, port: (server.address() as AddressInfo).port }, told);
  }

  /** `tls`: what clients are shown where the node answers itself. */
  start(count: number, start: WorkerStart, tls: TlsMaterial | undefined): void {
    this.#start = start;
    for (let i = 0; i < count; i++) this.#spawn();
    this.#standIn = new StandIn(start.administration, tls);
    this.#timers.add(setTimeout(() => this.#comeUp(), firstServesMs));
    const { workerStuckMs } = start.config;
    let lastMs = performance.now();
    const look = (): void => {
      const now = performance.now();
      for (const worker of this.#workers) this.#look(worker, now - lastMs, workerStuckMs);
      lastMs = now;
    };
    this.#looking = setInterval(look, WorkerSilence.lookEveryMs(workerStuckMs));
  }

  /** What connections are shown that no worker takes. */
  renew(tls: TlsMaterial): void {
    this.#standIn?.renew(tls);
  }

  /** Takes no more connections; resolves once all workers have closed their sessions and ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#server.close();
    clearInterval(this.#looking);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    this.#standIn?.stop();
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
    const worker: Worker = {
      process: child,
      startedMs: performance.now(),
      isReady: false,
      silence: new WorkerSilence(this.#start!.config.workerStuckMs),
      isAsked: false,
      handed: new Map(),
    };
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
    const { pid } = worker.process;
    if (worker.silence.heard()) this.#logger.info({ worker: pid }, 'A worker answers again.');
    if (message === 'beat') worker.isAsked = false;
    else if (message === 'ready') this.#serves(worker);
    else if ('taken' in message) this.#taken(worker, message.taken);
    else this.#count(worker, message);
  }

  /** Whoever connects from now on is answered by somebody. */
  #comeUp(): void {
    this.#isUp = true;
    for (const socket of this.#waiting.splice(0)) this.#take(socket);
  }

  #serves(worker: Worker): void {
    worker.isReady = true;
    this.#comeUp();
    this.#logger.info({ worker: worker.process.pid }, 'A worker serves clients.');
  }

  /** Only this process's hold on it ends. */
  #taken({ handed }: Worker, number: number): void {
    handed.get(number)?.destroy();
    handed.delete(number);
  }

  #count({ process: child }: Worker, asked: TallyAsked): void {
    const answer = tallied(this.#tallies, asked);
    if (answer && child.connected) child.send(answer satisfies ToWorker, () => undefined);
  }

  #look(worker: Worker, sinceMs: number, stuckMs: number): void {
    const { process: child, silence } = worker;
    const due = silence.look(sinceMs);
    if (due === 'tell') this.#tellStuck(child, stuckMs, 'it is given no new connections');
    if (due === 'end') {
      this.#tellStuck(child, endAfter * stuckMs, 'it is ended, and another one started');
      child.kill('SIGKILL');
    }
    if (worker.isAsked || !child.connected) return;
    worker.isAsked = true;
    child.send('beat' satisfies ToWorker, () => undefined);
  }

  #tellStuck({ pid }: ChildProcess, forMs: number, done: string): void {
    const message = `The worker ${pid} has not answered for ${forMs} ms: ${done}.`;
    this.#observer.observe({ type: 'alarm', code: 'WORKER_STUCK', message });
  }

  /** All that it said has been heard: what it did not take nobody has read of. */
  #handOn({ handed }: Worker): void {
    const left = [...handed.values()];
    handed.clear();
    for (const socket of left) this.#take(socket);
  }

  #ended(worker: Worker, how: string | number | null): void {
    this.#workers.delete(worker);
    // What it said before it ended lies there, to be read in the next turn at the latest.
    setImmediate(() => setImmediate(() => this.#handOn(worker)));
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
    if (this.#isStopping) return void socket.destroy();
    const ready = [...this.#workers].filter(
      ({ isReady, silence, process: { connected } }) => isReady && !silence.isStuck && connected,
    );
    const worker = ready[this.#turn++ % Math.max(1, ready.length)];
    if (worker) this.#hand(worker, socket);
    else if (this.#isUp) this.#standIn!.take(socket);
    else if (this.#waiting.length < waitingMax) this.#waiting.push(socket);
    else socket.destroy();
  }

  #hand({ process: child, handed }: Worker, socket: Socket): void {
    const number = ++this.#lastNumber;
    handed.set(number, socket);
    const message: ToWorker = { connection: number };
    child.send(message, socket, { keepOpen: true }, (error) => {
      if (error && handed.delete(number)) this.#take(socket);
    });
  }
}
