/** Tells a start step by step, so that a person knows what they have and what to try next. */
import type { BootStep, RunningServer } from '../server/index.js';
import { type Terminal, formatBytes, formatCount, printable } from './terminal.js';

export class BootReport {
  readonly #terminal: Terminal;
  #damaged = 0;
  #booted = false;

  constructor(terminal: Terminal, version: string) {
    this.#terminal = terminal;
    terminal.line(`${terminal.style.bold('Ringlog')} ${version}`);
  }

  step(step: BootStep): void {
    const { style } = this.#terminal;
    switch (step.type) {
      case 'data-directory': {
        const { directory } = step;
        this.#say('Data', directory.path);
        this.#say('Node', directory.nodeId);
        if (directory.isNew) this.#say('', 'First start: made a new node and its store.');
        for (const warning of directory.warnings) this.#say('', style.yellow(warning));
        return;
      }
      case 'recovery-progress':
        if (step.stage === 'scan')
          this.#terminal.progress('  Checking the log ', step.doneBytes, step.totalBytes);
        else this.#terminal.progress('  Rebuilding index ', step.doneBytes, step.totalBytes);
        return;
      case 'recovered':
        this.#recovered(step);
        return;
      case 'damage':
        this.#damaged++;
        this.#say('', style.red(`Damaged: ${step.what} at ${step.place}.`));
        return;
      case 'port-taken':
        this.#say(
          '',
          style.yellow(`Port ${step.asked} is taken; using ${step.used}. Choose one with --listen.`),
        );
        return;
      case 'listening':
        this.#say('Listening', style.green(step.url));
        return;
      case 'certificate':
        this.#say('Certificate', step.file);
        this.#say('', `SHA-256 ${step.fingerprint}`);
        return;
      case 'peers':
        this.#say('Peers', `${step.address} (TCP and UDP)${step.isSealed ? '' : ', this machine only'}`);
        return;
      case 'alarm':
        this.#say('', style.yellow(step.message));
        return;
      case 'store-failed':
      case 'node-failed':
        this.#say('', style.red(step.message));
        return;
      case 'store-reopened':
        this.#say('', 'The store is open again.');
        return;
    }
  }

  /** What went wrong and is no step: requests that failed. */
  logLine(line: string): void {
    const { level, type, msg, err } = JSON.parse(line) as {
      level: string;
      type?: string;
      msg: string;
      err?: { message?: string };
    };
    if (type !== undefined || !['warn', 'error', 'fatal'].includes(level)) return;
    this.#say('', this.#terminal.style.yellow(printable(`${msg} ${err?.message ?? ''}`.trim())));
  }

  ready(server: RunningServer): void {
    this.#booted = true;
    const { directory, url, config } = server;
    const { style } = this.#terminal;
    if (directory.isTokenNew) {
      this.#say('Admin', `${style.bold(directory.adminToken)}`);
      this.#say('', 'Shown this once; it is kept in the file admin-token of the data directory.');
    }
    if (config.auth.anonymous) this.#say('Access', `open to every client that reaches ${url}`);
    const isDefault = url === 'http://127.0.0.1:8080';
    const where = isDefault ? '' : ` --url ${url}`;
    const admin = config.data === './ringlog-data' ? '' : ` --data ${config.data}`;
    this.#terminal.line();
    this.#terminal.line('Try, in another terminal:');
    this.#terminal.line(`  ${style.cyan(`npx ringlog sub chat${where}`)}`);
    this.#terminal.line(`  ${style.cyan(`npx ringlog pub chat 'hello'${where}`)}`);
    this.#terminal.line(`  ${style.cyan(`npx ringlog log chat${where}${admin}`)}`);
    this.#terminal.line();
    this.#terminal.line(style.dim('Ctrl-C stops the node.'));
  }

  stopping(): void {
    this.#terminal.line();
    this.#terminal.line(
      this.#booted ? 'Stopping: finishing what is under way (Ctrl-C again: at once).' : 'Stopping.',
    );
  }

  stopped(): void {
    this.#terminal.line('Stopped.');
  }

  #recovered(step: Extract<BootStep, { type: 'recovered' }>): void {
    const { style } = this.#terminal;
    const seconds = (step.elapsedMs / 1000).toFixed(step.elapsedMs < 10_000 ? 2 : 1);
    const checked =
      step.commits === 0 || step.entries === 0
        ? ''
        : `, ${formatCount(step.entries)} ${step.entries === 1 ? 'entry' : 'entries'} checked and taken in again`;
    this.#say('Store', `open after ${seconds} s${checked}${step.rebuilt ? ', index rebuilt' : ''}`);
    if (step.cutBytes > 0) {
      this.#say(
        '',
        style.yellow(`Cut ${formatBytes(step.cutBytes)} that were being written when the node ended.`),
      );
    }
    if (this.#damaged > 0) {
      this.#say(
        '',
        style.red(
          `${this.#damaged} damaged ${this.#damaged === 1 ? 'place' : 'places'}; docs/operations.md says what to do.`,
        ),
      );
    }
  }

  #say(label: string, text: string): void {
    this.#terminal.line(`  ${this.#terminal.style.dim(label.padEnd(11))} ${text}`);
  }
}
