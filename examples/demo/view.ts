/** What is seen while it runs: on a terminal a table that changes in place, else a line now and then. */
import { terminalOn } from '../../src/cli/terminal.js';

export interface NodeRow {
  readonly name: string;
  readonly state: string;
  /** Parts of the ring it owns, and of how many. */
  readonly owned: number | undefined;
  readonly all: number | undefined;
  readonly owns: readonly string[];
  /** Lines acknowledged that its reader has not got. */
  readonly lag: number;
}

export interface Seen {
  readonly nodes: readonly NodeRow[];
  readonly acked: number;
  readonly waiting: number;
}

const drawMs = 200;
const lineMs = 2_000;

export class View {
  readonly #terminal = terminalOn(process.stdout, process.env);
  readonly #look: () => Seen;
  readonly #timer: NodeJS.Timeout;
  readonly #begunMs = performance.now();
  #before = { acked: 0, atMs: performance.now() };
  #drawn = 0;

  constructor(look: () => Seen) {
    this.#look = look;
    const everyMs = this.#terminal.isInteractive ? drawMs : lineMs;
    this.#timer = setInterval(() => this.#show(), everyMs);
  }

  /** Something happened: it stays. */
  tell(text: string): void {
    this.#erase();
    const { style } = this.#terminal;
    const seconds = ((performance.now() - this.#begunMs) / 1_000).toFixed(1);
    this.#terminal.line(`${style.dim(`${seconds.padStart(6)} s`)}  ${style.bold(text)}`);
    if (this.#terminal.isInteractive) this.#show();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #show(): void {
    const seen = this.#look();
    const rate = this.#rateOf(seen.acked);
    const { style } = this.#terminal;
    const total = `${seen.acked.toLocaleString('en-US')} lines acked, ${rate}/s, ${seen.waiting} on their way`;
    if (!this.#terminal.isInteractive) {
      const nodes = seen.nodes.map(
        ({ name, state, owned, lag }) => `${name} ${state} owns ${owned ?? '?'} lag ${lag}`,
      );
      this.#terminal.line(`          ${total}; ${nodes.join('; ')}`);
      return;
    }
    const lines = seen.nodes.map(({ name, state, owned, all, owns, lag }) => {
      const shown = state.padEnd(8);
      const painted = state === 'up' ? style.green(shown) : style.red(shown);
      const share = owned === undefined ? '' : `owns ${owned}/${all}`;
      return `  ${name}  ${painted} ${share.padEnd(14)} lag ${String(lag).padStart(5)}  ${style.cyan(owns.join(' '))}`;
    });
    this.#erase();
    for (const line of [...lines, style.dim(`  ${total}`)]) process.stdout.write(`${line}\u001b[K\n`);
    this.#drawn = lines.length + 1;
  }

  #rateOf(acked: number): number {
    const atMs = performance.now();
    const rate = Math.round(((acked - this.#before.acked) * 1_000) / Math.max(1, atMs - this.#before.atMs));
    this.#before = { acked, atMs };
    return rate;
  }

  #erase(): void {
    if (this.#drawn > 0) process.stdout.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}
