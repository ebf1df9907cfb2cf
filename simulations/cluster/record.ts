/** What was seen from outside: of publishes, what became of them; of readers, what they were given, in order. Checkers
 *  read this and the raw disks, and nothing else. */
export type Level = 'memory' | 'owner' | 'quorum';

export interface SeenDot {
  readonly writer: string;
  readonly seq: number;
}

/** One publish of an application, whatever the SDK made of it. */
export interface Publish {
  /** Written into its payload; numbers all publishes from 1. */
  readonly line: number;
  readonly channel: string;
  readonly publisher: string;
  readonly level: Level | undefined;
  readonly degrade: boolean;
  readonly sentMs: number;
  outcome: 'open' | 'acked' | 'rejected' | 'indeterminate';
  settledMs: number;
  code: string;
  /** What the application was told. */
  dot: SeenDot | undefined;
  reached: Level | undefined;
  copies: number;
  duplicate: boolean;
  timestamp: number;
}

/** One ack as it left a node. */
export interface SeenAck {
  readonly atMs: number;
  readonly node: string;
  readonly line: number;
  readonly dot: SeenDot | undefined;
  readonly level: Level;
  readonly copies: number;
  readonly duplicate: boolean;
  /** Disks that held the entry, synced, when the ack left the node. */
  readonly holders: readonly number[];
}

export type ReaderEvent =
  | {
      readonly type: 'entry';
      readonly atMs: number;
      readonly dot: SeenDot;
      readonly late: boolean;
      readonly kind: string;
      readonly line: number;
      readonly timestamp: number;
      readonly crc: number;
    }
  | {
      readonly type: 'gap';
      readonly atMs: number;
      readonly reason: string;
      readonly ranges: readonly SeenRange[];
    }
  | { readonly type: 'subscribed'; readonly atMs: number; readonly resumed: boolean };

export interface SeenRange {
  readonly writer: string;
  readonly fromSeq: number;
  readonly toSeq: number;
}

export type EntryEvent = Extract<ReaderEvent, { type: 'entry' }>;

/** One place in one channel, whoever held it: a client that goes on from another's cursor adds to the same reader. */
export interface Reader {
  readonly name: string;
  readonly channel: string;
  readonly start: 'live' | 'beginning';
  /** Started once nothing went wrong any more, to compare with. */
  readonly isFinal: boolean;
  readonly events: ReaderEvent[];
}

/** Something that no checker needs the end of the run for. */
export interface Finding {
  readonly checker: string;
  readonly what: string;
}

export class ClusterRecord {
  /** By line; nothing at 0. */
  readonly publishes: Publish[] = [];
  readonly acks: SeenAck[] = [];
  readonly readers: Reader[] = [];
  /** Disks that are gone for good, with when. */
  readonly lostDisks = new Map<number, number>();
  /** Found while it happened. */
  readonly findings: Finding[] = [];
  /** When the last fault ended. */
  healedMs = Number.POSITIVE_INFINITY;

  publish(details: Pick<Publish, 'channel' | 'publisher' | 'level' | 'degrade' | 'sentMs'>): Publish {
    const publish: Publish = {
      ...details,
      line: this.publishes.length + 1,
      outcome: 'open',
      settledMs: 0,
      code: '',
      dot: undefined,
      reached: undefined,
      copies: 0,
      duplicate: false,
      timestamp: 0,
    };
    this.publishes.push(publish);
    return publish;
  }

  of(line: number): Publish | undefined {
    return this.publishes[line - 1];
  }

  get hasOpen(): boolean {
    return this.open().length > 0;
  }

  /** Without an answer yet. */
  open(): Publish[] {
    while (this.#settled < this.publishes.length && this.publishes[this.#settled]!.outcome !== 'open')
      this.#settled++;
    return this.publishes.slice(this.#settled).filter(({ outcome }) => outcome === 'open');
  }
  /** All before this have their answer. */
  #settled = 0;
}
