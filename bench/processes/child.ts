/** Processes of the bench: each is pinned where that is possible, watched, and ended by its own id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { within } from '../../src/cli/bench/within.js';
import { pinningProgram } from './affinity.js';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The processor it runs on. */
  readonly processor: number | undefined;
}

interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

const outputKeptMax = 16_384;
const stopLimitMs = 60_000;
const askLimitMs = 30_000;

const running = new Set<Child>();

/** For the end of this process, whatever brings it. */
export function killAllChildren(): void {
  for (const child of running) child.process.kill('SIGKILL');
}

export class Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when it is gone. */
  readonly ended: Promise<void>;
  #output = '';
  #isRunning = true;

  constructor({ name, command, args, processor }: ChildOptions) {
    this.name = name;
    const pinned = processor === undefined ? [] : [pinningProgram, '-c', String(processor)];
    const [program, ...rest] = [...pinned, command, ...args] as [string, ...string[]];
    // It becomes the program, so the id is the program's.
    this.process = spawn(program, rest, {
      // Settings of whoever runs the bench are not those of what is measured.
      env: withoutSettings(process.env),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    running.add(this);
    for (const stream of [this.process.stdout!, this.process.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-outputKeptMax);
      });
    this.ended = new Promise((resolve) => {
      const over = () => {
        this.#isRunning = false;
        running.delete(this);
        resolve();
      };
      this.process.once('close', over);
      this.process.once('error', over);
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** The last it wrote. */
  get output(): string {
    return this.#output;
  }

  /** Sends a message and resolves with the answer to it; one at a time. */
  async ask(message: object, limitMs = askLimitMs): Promise<unknown> {
    const answered = new Promise<Answer>((resolve) => {
      this.process.once('message', (answer) => resolve(answer as Answer));
    });
    this.process.send(message);
    const ended = this.ended.then(() => ({ error: `it ended:\n${this.#output}` }));
    const answer: Answer = await within(Promise.race([answered, ended]), limitMs, `a job of ${this.name}`);
    if (answer.error !== undefined) throw new Error(`${this.name}: ${answer.error}`);
    return answer.result;
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<void> {
    this.process.kill('SIGTERM');
    try {
      await within(this.ended, stopLimitMs, `stopping ${this.name}`);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }
}

function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('RINGLOG_') && name !== 'NODE_OPTIONS'),
  );
}
