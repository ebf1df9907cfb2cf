/** Where a command prints: lines for people on a terminal, NDJSON for programs. */
import { type Terminal, terminalOn } from './terminal.js';

export interface Output {
  readonly isForPeople: boolean;
  readonly terminal: Terminal;
  /** One value: as text for people, else as a line of JSON. Waits while the reader of a pipe is slow. */
  print(text: () => string, json: () => string): Promise<void>;
}

export function createOutput(options: { readonly json?: boolean }): Output {
  const terminal = terminalOn(process.stdout, process.env);
  const isForPeople = options.json !== true && process.stdout.isTTY === true;
  // `ringlog log chat | head` ends the pipe: nothing more to do, and nothing wrong.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    isForPeople,
    terminal,
    async print(text, json) {
      const line = isForPeople ? text() : json();
      if (!process.stdout.write(`${line}\n`)) {
        await new Promise<void>((resolve) => void process.stdout.once('drain', resolve));
      }
    },
  };
}
