/** What the publishers of a load have in common, however they talk to the node. */
import type { Ledger } from '../checkers/ledger.js';
import type { Random } from '../../src/base/random.js';

export interface LoadPublisher {
  readonly name: string;
  /** Sends so many lines, or fewer where too many are waiting for their answers. */
  burst(lines: number): void;
  /** Lines that were sent and may still get an answer. */
  readonly waiting: number;
  close(): void;
}

export interface PublisherOptions {
  readonly name: string;
  readonly url: string;
  readonly hub: string;
  readonly channel: string;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Something a publisher should never see. */
  readonly onProblem: (problem: string) => void;
}

export interface Line {
  readonly line: number;
  readonly data: { readonly line: number; readonly by: string; readonly text: string };
  readonly payload: Buffer<ArrayBuffer>;
}

/** Lines sent and not answered, of one publisher. */
export const waitingMax = 256;

/** A line of its own for the publisher, noted in the ledger. Most are short; a few fill pages, and some are larger than
 *  what a disk writes at once. */
export function nextLine({ name, channel, ledger, random }: PublisherOptions): Line {
  const line = ledger.publish(channel, name);
  const chance = random.next();
  const length = chance < 0.95 ? 120 * random.next() : chance < 0.998 ? 6_000 * random.next() : 80_000;
  const data = { line, by: name, text: 'x'.repeat(Math.floor(length)) };
  const payload = Buffer.from(JSON.stringify(data));
  ledger.sent(line, payload);
  return { line, data, payload };
}

/** Dot of a message id, `writer-seq`. */
export function dotOfId(id: string): { writer: string; seq: number } {
  const dash = id.lastIndexOf('-');
  return { writer: id.slice(0, dash), seq: Number(id.slice(dash + 1)) };
}
