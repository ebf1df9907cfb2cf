/** Compares what a store holds with what was published and acknowledged. */
import { type Ledger, lineOf } from './ledger.js';
import { LineSet } from './line-set.js';
import { PublisherOrder } from './publisher-order.js';
import { SequenceLog } from './sequence-log.js';
import type { StoreScan, StoredRecord } from './store-scan.js';
import type { Violations } from './violations.js';

const publishKind = 0;

export class StoreCheck {
  /** Publishes of ours that the store holds, each once. */
  readonly lines = new LineSet();
  /** By channel: what the store holds, in its order. */
  readonly logs = new Map<string, SequenceLog>();
  /** Entries that are no publish: merges, trims. */
  others = 0;
  readonly #ledger: Ledger;
  readonly #violations: Violations;
  readonly #order: PublisherOrder;
  readonly #chains = new Map<string, number>();
  readonly #arrivals = new Map<string, number>();

  constructor(ledger: Ledger, violations: Violations) {
    this.#ledger = ledger;
    this.#violations = violations;
    this.#order = new PublisherOrder(ledger);
  }

  /** Reads the whole store of one hub and counts everything that does not fit. */
  run(scan: StoreScan, hub: string): void {
    for (const stored of scan.records()) if (stored.hub === hub) this.add(stored);
    for (const problem of scan.problems) this.#violations.add('damaged', () => problem);
    this.finish();
  }

  add(stored: StoredRecord): void {
    const { channel, writer, record, place } = stored;
    const line = record.kind === publishKind ? lineOf(record.payload) : 0;
    const log = this.logs.get(channel) ?? new SequenceLog();
    this.logs.set(channel, log);
    const arrival = log.add(writer, record.seq, line);
    const what = () => `${writer}-${record.seq} in ${channel} (${place})`;
    if (arrival === 'duplicate') this.#violations.add('doubled', () => `${what()} is stored twice`);
    if (arrival === 'skipped' || arrival === 'late')
      this.#violations.add('damaged', () => `${what()} does not follow the entry before it`);
    this.#checkChain(stored, what);
    if (record.kind === publishKind) this.#checkPublish(stored, line, what);
    else this.others++;
  }

  /** What was acknowledged and is not there. */
  finish(): void {
    for (let line = 1; line <= this.#ledger.published; line++) {
      if (this.#ledger.outcomeOf(line) !== 'acked' || this.lines.has(line)) continue;
      this.#violations.add(
        'lost',
        () =>
          `line ${line} of ${this.#ledger.publisherOf(line)} was acknowledged as ${dotText(this.#ledger, line)} and is not in the store`,
      );
    }
  }

  #checkChain({ channel, writer, record, arrival }: StoredRecord, what: () => string): void {
    const chain = `${channel} ${writer}`;
    const previous = record.seq === 1 ? 0 : this.#chains.get(chain);
    if (previous !== undefined && previous !== record.previous)
      this.#violations.add('damaged', () => `${what()} names another predecessor than the one before it`);
    this.#chains.set(chain, record.checksum);
    if (arrival <= (this.#arrivals.get(channel) ?? 0))
      this.#violations.add('damaged', () => `${what()} has an arrival number that was used before`);
    this.#arrivals.set(channel, arrival);
  }

  #checkPublish({ channel, writer, record }: StoredRecord, line: number, what: () => string): void {
    const ledger = this.#ledger;
    if (!ledger.knows(line) || ledger.channelOf(line) !== channel) {
      this.#violations.add('phantom', () => `${what()} was published by nobody here`);
      return;
    }
    if (!this.lines.add(line))
      this.#violations.add('doubled', () => `line ${line} is stored again as ${what()}`);
    if (!ledger.fits(line, record.payload))
      this.#violations.add('altered', () => `${what()} has not the bytes of line ${line}`);
    if (ledger.outcomeOf(line) === 'rejected')
      this.#violations.add('phantom', () => `line ${line} was refused and is stored as ${what()}`);
    const dot = ledger.dotOf(line);
    if (dot && (dot.writer !== writer || dot.seq !== record.seq))
      this.#violations.add(
        'lost',
        () => `line ${line} was acknowledged as ${dotText(ledger, line)} and is stored as ${what()}`,
      );
    const later = this.#order.add(line);
    if (later > 0)
      this.#violations.add('out-of-order', () => `line ${line} comes after line ${later} of its publisher`);
  }
}

function dotText(ledger: Ledger, line: number): string {
  const dot = ledger.dotOf(line);
  return dot ? `${dot.writer}-${dot.seq}` : 'unknown';
}
