/** A schedule of faults as text, to be read by people and to be run again: `--schedule FILE` takes what a shrinking printed. */
import { type Fault, faultKinds } from './faults.js';

const line =
  /^\s*([\d.e+-]+) ms +([a-z-]+) n(\d+) for ([\d.e+-]+) ms, amount ([\d.e+-]+), with((?: n\d+)*)\s*$/;

/** Exact: numbers are written as they are. */
export function faultText({ kind, atMs, node, forMs, amount, others }: Fault): string {
  const rest = others.map((i) => ` n${i + 1}`).join('');
  return `${String(atMs)} ms  ${kind} n${node + 1} for ${String(forMs)} ms, amount ${String(amount)}, with${rest}`;
}

/** Every line that is a fault; others are passed over. */
export function parseSchedule(text: string): Fault[] {
  return text.split('\n').flatMap((one) => {
    const match = line.exec(one);
    const kind = faultKinds.find((each) => each === match?.[2]);
    if (!match || !kind) return [];
    const [, atMs, , node, forMs, amount, others = ''] = match;
    return [
      {
        kind,
        atMs: Number(atMs),
        node: Number(node) - 1,
        forMs: Number(forMs),
        amount: Number(amount),
        others: [...others.matchAll(/n(\d+)/g)].map(([, i]) => Number(i) - 1),
      },
    ];
  });
}
