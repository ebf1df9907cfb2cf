/** How far the replay is: a bar on a terminal, a line now and then anywhere else. On standard error, so that the result
 *  can be piped away. */
import { terminalOn } from '../../src/cli/terminal.js';

export interface ProgressState {
  readonly acked: number;
  readonly day: string;
}

const barMs = 100;
const lineMs = 5_000;

export class Progress {
  readonly #terminal = terminalOn(process.stderr, process.env);
  readonly #timer: NodeJS.Timeout;

  constructor(total: number, state: () => ProgressState) {
    const begun = performance.now();
    this.#timer = setInterval(
      () => {
        const { acked, day } = state();
        const rate = Math.round(acked / ((performance.now() - begun) / 1_000));
        const label = `${day || 'the end'}  ${acked.toLocaleString('en-US')} lines  ${rate.toLocaleString('en-US')}/s`;
        if (this.#terminal.isInteractive) this.#terminal.progress(label, acked, total);
        else this.#terminal.line(`${Math.floor((100 * acked) / total)} %  ${label}`);
      },
      this.#terminal.isInteractive ? barMs : lineMs,
    );
  }

  line(text: string): void {
    this.#terminal.line(text);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#terminal.isInteractive) process.stderr.write('\r\u001b[2K');
  }
}
