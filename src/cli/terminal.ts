/** Text for people: colours and progress bars on a terminal that wants them, plain lines anywhere else. */

export interface Terminal {
  line(text?: string): void;
  /** Replaces the last progress line; does nothing where lines cannot be replaced. */
  progress(label: string, done: number, total: number): void;
  /** Takes the progress line away. */
  clear(): void;
  readonly isInteractive: boolean;
  readonly style: Style;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
}

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function terminalOn(
  output: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isInteractive = output.isTTY === true && environment['TERM'] !== 'dumb';
  const style = isInteractive && !environment['NO_COLOR'] ? coloured : plain;
  let progressShown = false;
  const clear = () => {
    if (progressShown) output.write('\r\u001b[2K');
    progressShown = false;
  };
  return {
    isInteractive,
    style,
    clear,
    line(text = '') {
      clear();
      output.write(`${text}\n`);
    },
    progress(label, done, total) {
      if (!isInteractive) return;
      clear();
      const ratio = total > 0 ? Math.min(1, done / total) : 1;
      const width = Math.max(10, Math.min(40, (output.columns ?? 80) - label.length - 10));
      const filled = Math.round(ratio * width);
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
      output.write(`${label} ${style.cyan(bar)} ${String(Math.floor(ratio * 100)).padStart(3)} %`);
      progressShown = true;
    },
  };
}

const paint = (open: number, close: number) => (text: string) => `\u001b[${open}m${text}\u001b[${close}m`;

const coloured: Style = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  green: paint(32, 39),
  yellow: paint(33, 39),
  red: paint(31, 39),
  cyan: paint(36, 39),
};

const same = (text: string) => text;
const plain: Style = { bold: same, dim: same, green: same, yellow: same, red: same, cyan: same };

/** Text from elsewhere, safe for a terminal: control characters cannot move the cursor or forge lines. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- those are the ones meant
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\n]/g, (character) => {
    const known: Record<string, string> = { '\n': '\\n', '\r': '\\r' };
    return known[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** 1234567 as "1,234,567", whatever the machine's language. */
export function formatCount(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
