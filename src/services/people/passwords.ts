/** Password hashes (scrypt, RFC 7914), on threads of their own: the pool that syncs the store has none to spare. Few at once, few
 *  waiting, and what is too much is refused. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { limits } from '../../base/limits.js';

/** Parameters stand beside each hash, so that they can be raised. 2^15, 8, 1 takes 32 MiB and about an eighth of a second. */
const costDefault = 15;
const block = 8;
const parallel = 1;
const hashBytes = 32;
const storedPattern = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/** Loaded as text: a thread's file would have to be found in whatever form this project runs. */
const program = `
const { parentPort } = require('node:worker_threads');
const { scryptSync } = require('node:crypto');
parentPort.on('message', ({ password, salt, bytes, N, r, p }) => {
  try {
    parentPort.postMessage({ hash: scryptSync(password, salt, bytes, { N, r, p, maxmem: 256 * N * r }) });
  } catch (error) {
    parentPort.postMessage({ error: String(error) });
  }
});
`;

interface Job {
  readonly password: string;
  readonly salt: Uint8Array;
  readonly cost: number;
  readonly block: number;
  readonly parallel: number;
  readonly resolve: (hash: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

export class Passwords {
  readonly #waiting: Job[] = [];
  readonly #idle: Worker[] = [];
  readonly #workers = new Set<Worker>();
  #isStopped = false;

  /** The binary logarithm of what each takes. */
  constructor(readonly cost = costDefault) {}

  /** `undefined` when too many wait. */
  hash(password: string): Promise<string> | undefined {
    const salt = randomBytes(16);
    const { cost } = this;
    return this.#run(password, salt, { cost, block, parallel })?.then(
      (hash) => `scrypt$${cost}$${block}$${parallel}$${text(salt)}$${text(hash)}`,
    );
  }

  /** The same time for a user that is not there: `stored` left out. `undefined` when too many wait. */
  check(password: string, stored: string | undefined): Promise<boolean> | undefined {
    const match = storedPattern.exec(stored ?? '');
    if (!match) return this.#run(password, noSalt, { cost: this.cost, block, parallel })?.then(() => false);
    const [cost1, block1, parallel1] = match.slice(1, 4).map(Number) as [number, number, number];
    const salt = Buffer.from(match[4]!, 'base64url');
    const expected = Buffer.from(match[5]!, 'base64url');
    const given = this.#run(password, salt, { cost: cost1, block: block1, parallel: parallel1 });
    return given?.then((hash) => timingSafeEqual(hash, expected));
  }

  isOutdated(stored: string): boolean {
    const [cost1, block1, parallel1] = (storedPattern.exec(stored) ?? []).slice(1, 4).map(Number);
    return cost1 !== this.cost || block1 !== block || parallel1 !== parallel;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const job of this.#waiting.splice(0)) job.reject(new Error('the node stops'));
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
  }

  #run(
    password: string,
    salt: Uint8Array,
    parameters: { readonly cost: number; readonly block: number; readonly parallel: number },
  ): Promise<Uint8Array> | undefined {
    if (this.#isStopped || this.#waiting.length >= limits.passwordsWaitingMax) return undefined;
    return new Promise((resolve, reject) => {
      // Two ways to write one character are one password (RFC 8265 §4.2.2).
      this.#waiting.push({ password: password.normalize('NFC'), salt, ...parameters, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? this.#start();
    if (!worker) return;
    const job = this.#waiting.shift()!;
    const done = (settle: () => void): void => {
      worker.off('message', answered);
      worker.off('error', failed);
      worker.off('exit', failed);
      settle();
    };
    const answered = ({ hash, error }: { hash?: Uint8Array; error?: string }): void =>
      done(() => {
        this.#idle.push(worker);
        if (hash) job.resolve(hash);
        else job.reject(new Error(error));
        this.#next();
      });
    const failed = (error: unknown): void =>
      done(() => {
        this.#workers.delete(worker);
        job.reject(error instanceof Error ? error : new Error('the thread ended'));
        this.#next();
      });
    worker.on('message', answered);
    worker.on('error', failed);
    worker.on('exit', failed);
    worker.postMessage({
      password: job.password,
      salt: job.salt,
      bytes: hashBytes,
      N: 2 ** job.cost,
      r: job.block,
      p: job.parallel,
    });
  }

  #start(): Worker | undefined {
    if (this.#workers.size >= limits.passwordsAtOnceMax) return undefined;
    const worker = new Worker(program, { eval: true });
    worker.unref();
    this.#workers.add(worker);
    return worker;
  }
}

const noSalt = Buffer.alloc(16);
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
