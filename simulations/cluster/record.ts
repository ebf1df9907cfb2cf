/** What was seen from outside: of publishes, what became of them; of readers, what they were given, in order. Checkers
 *  read this and the raw disks, and nothing else. */
import { NamesRecord } from './names-record.js';
import { SettingsRecord } from './settings-record.js';

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
  /** The SDK numbers what it sends to a channel. Without a number nothing keeps what has no answer from coming late. */
  readonly isNumbered: boolean;
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
  /** Disks that held the entry, synced, when the ack left the node: of one node there may be several, lost ones included. */
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
      /** It came without its content; the line is known from elsewhere. */
      readonly isRedacted?: boolean;
    }
  | {
      readonly type: 'gap';
      readonly atMs: number;
      readonly reason: string;
      readonly ranges: readonly SeenRange[];
    }
  | { readonly type: 'subscribed'; readonly atMs: number; readonly resumed: boolean }
  /** The end of a page: the last one, if there is no more. `including`: of a log that has this. */
  | { readonly type: 'page'; readonly atMs: number; readonly including?: SeenDot; readonly more: boolean };

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
  /** `history`: page by page. `final`: started once nothing went wrong any more. `restart`: after all was stopped then. */
  readonly phase: 'run' | 'history' | 'final' | 'restart';
  readonly events: ReaderEvent[];
}

/** Something that no checker needs the end of the run for. */
export interface Finding {
  readonly checker: string;
  readonly what: string;
}

/** One process of a node. */
export interface SeenProcess {
  readonly node: string;
  readonly bornMs: number;
  /** Of other nodes, when it first heard a message of theirs over a link. */
  readonly heard: Map<string, number>;
}

/** One process as an appender, on the disk it had. */
export interface SeenWriter {
  readonly process: SeenProcess;
  readonly disk: number;
}

/** A claim that entries were stamped under. */
export interface SeenClaim {
  readonly writer: string;
  readonly round: number;
  /** When its first entry in the channel was synced anywhere. */
  readonly sinceMs: number;
}

/** Who is in a channel at one time: a line for each, with what it says of itself. */
export interface SeenPresence {
  readonly expected: readonly string[];
  /** By node, or client that keeps a list. */
  readonly seen: ReadonlyMap<string, readonly string[]>;
}

/** One change of the shared document by an application. */
export interface SeenChange {
  /** In the document's log if it took effect; numbers all changes from 1. */
  readonly id: number;
  readonly by: string;
  readonly degrade: boolean;
  outcome: Publish['outcome'];
  /** The level that was acknowledged, or a code. */
  told?: string;
  entry?: string | undefined;
  /** What who made it was told of it after it was acknowledged; left out where that was not heard to the end. */
  after?: 'nothing' | 'void' | 'lost' | undefined;
  /** How often it was told since it last opened the document that it is void. */
  voidsTold?: number;
}

/** A document at one time. */
export interface SeenDocument {
  /** What each node says of it. */
  readonly nodes: ReadonlyMap<string, string>;
  /** What each client has, own changes on their way included; as short as `document`. */
  readonly clients: ReadonlyMap<string, string>;
  readonly document: string;
  /** The changes that took effect, in their order. */
  readonly log: readonly number[];
  /** Entries that did not; left out where that cannot be read any more. */
  readonly voids?: ReadonlySet<string> | undefined;
  /** What its log comes to without any snapshot, as nodes say it; left out where not all of that can be read. */
  readonly folded?: string | undefined;
}

/** One notification of a service. */
export interface SeenNotice {
  /** Its title; numbers all of them from 1. */
  readonly id: number;
  /** `acked` at quorum. */
  outcome: Publish['outcome'];
  entry?: string | undefined;
}

/** A channel of notifications at one time. */
export interface SeenNotifications {
  /** What each node says there is, and is read. */
  readonly nodes: ReadonlyMap<string, string>;
  /** How many are unread, as each follower was told last. */
  readonly clients: ReadonlyMap<string, string>;
  readonly count: string;
  /** By entry: title and state. */
  readonly listed: ReadonlyMap<string, string>;
  /** Entries that by the clocks of all nodes had expired a while before, and were not said to. */
  readonly overdue: readonly string[];
  /** As `listed`, by what the log comes to a little later; left out where not all of it can be read. */
  readonly folded?: ReadonlyMap<string, string> | undefined;
}

/** A name of a group that several wanted at once, and what each was told. */
export interface GroupRace {
  readonly group: string;
  readonly user: string;
  readonly outcome: string;
}

/** By node: whose each group is; empty for nobody's. */
export type SeenGroups = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A session that came back. */
export interface SeenRestore {
  readonly client: string;
  readonly key: string;
  readonly channels: readonly string[];
  /** What may come back; left out for a key that was used. */
  readonly allowed: readonly (readonly string[])[] | undefined;
}

export class ClusterRecord {
  /** By line; nothing at 0. */
  readonly publishes: Publish[] = [];
  readonly acks: SeenAck[] = [];
  readonly readers: Reader[] = [];
  /** Disks that are gone for good, with when. */
  readonly lostDisks = new Map<number, number>();
  /** Of these the disks that are there, and of which some bytes are gone. */
  readonly rotten = new Set<number>();
  /** By id, in the order in which they were noticed. */
  readonly writers = new Map<string, SeenWriter>();
  /** By channel. */
  readonly claims = new Map<string, SeenClaim[]>();
  /** By node: by how much its wall clock was ahead at most, in milliseconds. */
  readonly leads = new Map<string, number>();
  /** By node. */
  readonly starts = new Map<string, number>();
  /** Channels that somebody was told are deleted, or not. */
  readonly deletions: { readonly node: string; readonly channel: string; readonly dot?: SeenDot }[] = [];
  /** Entries of which somebody was told that they are redacted, and by which. */
  readonly redactions: {
    readonly node: string;
    readonly channel: string;
    readonly of: SeenDot;
    readonly by: SeenDot;
  }[] = [];
  /** The same of trims that were forced. */
  readonly forced: { readonly node: string; readonly channel: string; readonly dot?: SeenDot }[] = [];
  /** What operators asked nodes to take away, until they have an answer or the process that was asked has ended. */
  readonly asked = new Set<{ readonly what: string }>();
  /** Looked at when nothing had gone wrong for a while. */
  readonly presences: SeenPresence[] = [];
  readonly changes: SeenChange[] = [];
  /** The same, and once more when all had been stopped. */
  readonly documents: SeenDocument[] = [];
  readonly notices: SeenNotice[] = [];
  /** Entries that somebody marked as read, which was acknowledged at quorum. */
  readonly read = new Set<string>();
  /** As `documents`. */
  readonly notifications: SeenNotifications[] = [];
  readonly groupRaces: GroupRace[] = [];
  /** Looked at then too. */
  readonly groups: SeenGroups[] = [];
  readonly names = new NamesRecord();
  readonly settings = new SettingsRecord();
  readonly restores: SeenRestore[] = [];
  /** What came of each session that is kept when nothing had gone wrong for a while. */
  readonly lastRestores: {
    readonly client: string;
    readonly outcome: 'restored' | 'refused' | 'not kept';
  }[] = [];
  /** Found while it happened. */
  readonly findings: Finding[] = [];
  /** When the last fault ended. */
  healedMs = Number.POSITIVE_INFINITY;

  publish(
    details: Pick<Publish, 'channel' | 'publisher' | 'level' | 'degrade' | 'sentMs'> & {
      isNumbered?: boolean;
    },
  ): Publish {
    const publish: Publish = {
      isNumbered: true,
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

  /** An entry was synced somewhere for the first time. */
  stamped(channel: string, writer: string, round: number, atMs: number): void {
    if (round === 0) return;
    let claims = this.claims.get(channel);
    if (!claims) this.claims.set(channel, (claims = []));
    if (!claims.some((claim) => claim.writer === writer && claim.round === round))
      claims.push({ writer, round, sinceMs: atMs });
  }

  /** The node whose claim in the channel is the highest that was seen. */
  ownerOf(channel: string): string | undefined {
    let highest: SeenClaim | undefined;
    for (const claim of this.claims.get(channel) ?? [])
      if (!highest || compareClaims(claim, highest) > 0) highest = claim;
    return highest && this.writers.get(highest.writer)?.process.node;
  }

  isAhead(node: string, leadMs: number): void {
    this.leads.set(node, Math.max(leadMs, this.leads.get(node) ?? 0));
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

export function compareClaims(
  a: { readonly round: number; readonly writer: string },
  b: { readonly round: number; readonly writer: string },
): number {
  if (a.round !== b.round) return a.round - b.round;
  return a.writer === b.writer ? 0 : a.writer < b.writer ? -1 : 1;
}
