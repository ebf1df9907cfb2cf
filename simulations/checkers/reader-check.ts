/** Watches one reader: every entry as it is delivered, and at the end the whole against the store. */
import { type Ledger, lineOf } from './ledger.js';
import { LineSet } from './line-set.js';
import { PublisherOrder } from './publisher-order.js';
import type { LogRecord } from './record.js';
import { SequenceLog } from './sequence-log.js';
import { compareOrder } from './order.js';
import type { Violations } from './violations.js';

export interface ReaderOptions {
  readonly name: string;
  /** It reads from the first entry of each channel on. */
  readonly fromStart: boolean;
  /** Entries of earlier runs may lie in the same channels. */
  readonly mayMeetOthers: boolean;
}

export class ReaderCheck {
  /** Entries delivered, before anything is removed. */
  delivered = 0;
  readonly logs = new Map<string, SequenceLog>();
  readonly lines = new LineSet();
  readonly #options: ReaderOptions;
  readonly #ledger: Ledger;
  readonly #violations: Violations;
  readonly #order: PublisherOrder;

  constructor(options: ReaderOptions, ledger: Ledger, violations: Violations) {
    this.#options = options;
    this.#ledger = ledger;
    this.#violations = violations;
    this.#order = new PublisherOrder(ledger);
  }

  get name(): string {
    return this.#options.name;
  }

  logOf(channel: string): SequenceLog {
    let log = this.logs.get(channel);
    if (!log) this.logs.set(channel, (log = new SequenceLog(this.#options.fromStart)));
    return log;
  }

  /** One entry as it came over the wire. */
  record(channel: string, writer: string, record: LogRecord, late: boolean): void {
    if (!record.isWhole) this.#add('altered', `${writer}-${record.seq}: its checksum does not fit its bytes`);
    this.entry(channel, writer, record.seq, record.kind === 0 ? record.payload : undefined, late);
  }

  /** One entry; `payload` only where it is a publish. */
  entry(channel: string, writer: string, seq: number, payload: Uint8Array | undefined, late: boolean): void {
    this.delivered++;
    const line = payload ? lineOf(payload) : 0;
    const arrival = this.logOf(channel).add(writer, seq, line);
    switch (arrival) {
      case 'duplicate':
        this.#add('duplicate', `${writer}-${seq} in ${channel} came again`);
        return;
      case 'skipped':
        this.#add('gap', `${channel} went on with ${writer}-${seq} and left out what is before it`);
        break;
      case 'late':
        this.#add('out-of-order', `${writer}-${seq} in ${channel} came after its successor`);
        break;
      case 'next':
        break;
    }
    if (late) this.#add('out-of-order', `${writer}-${seq} in ${channel} is marked late`);
    if (payload) this.#publish(channel, writer, seq, payload, line);
  }

  /** The node declared a range as one this reader will not get. */
  gap(channel: string, reason: string): void {
    this.#add('gap', `${channel} was declared to have a gap: ${reason}`);
  }

  /** Whether every acknowledged line has come. */
  get hasAllAcked(): boolean {
    if (this.lines.size < this.#ledger.acked) return false;
    return this.#firstMissing() === 0;
  }

  /** At the end: what was acknowledged has come, nothing else than the store holds has, and in its order. */
  finish(store: ReadonlyMap<string, SequenceLog> | undefined): void {
    for (let line = 1; line <= this.#ledger.published; line++)
      if (this.#ledger.outcomeOf(line) === 'acked' && !this.lines.has(line))
        this.#add('lost', `line ${line} was acknowledged and did not come`);
    for (const [channel, log] of this.logs) {
      const reference = store?.get(channel);
      if (!store) continue;
      const differences = compareOrder(reference ?? new SequenceLog(), log);
      for (const dot of differences.unknown) this.#add('phantom', `${dot} in ${channel} is not in the store`);
      for (const dot of differences.outOfOrder)
        this.#add('out-of-order', `${dot} in ${channel} stands elsewhere in the store`);
      for (const dot of differences.missing) this.#add('gap', `${dot} in ${channel} did not come`);
      if (differences.same && reference?.digest !== log.digest)
        this.#add('altered', `${channel}: the lines are not those of the store`);
    }
  }

  #publish(channel: string, writer: string, seq: number, payload: Uint8Array, line: number): void {
    const ledger = this.#ledger;
    if (!ledger.knows(line) || ledger.channelOf(line) !== channel) {
      if (!this.#options.mayMeetOthers)
        this.#add('phantom', `${writer}-${seq} in ${channel} was published by nobody here`);
      return;
    }
    if (!this.lines.add(line)) this.#add('doubled', `line ${line} came again as ${writer}-${seq}`);
    if (!ledger.fits(line, payload))
      this.#add('altered', `${writer}-${seq} has not the bytes of line ${line}`);
    const dot = ledger.dotOf(line);
    if (dot && (dot.writer !== writer || dot.seq !== seq))
      this.#add(
        'doubled',
        `line ${line}, acknowledged as ${dot.writer}-${dot.seq}, came as ${writer}-${seq}`,
      );
    const later = this.#order.add(line);
    if (later > 0) this.#add('out-of-order', `line ${line} came after line ${later} of its publisher`);
  }

  #firstMissing(): number {
    for (let line = 1; line <= this.#ledger.published; line++)
      if (this.#ledger.outcomeOf(line) === 'acked' && !this.lines.has(line)) return line;
    return 0;
  }

  #add(kind: Parameters<Violations['add']>[0], example: string): void {
    this.#violations.add(kind, () => `${this.name}: ${example}`);
  }
}
