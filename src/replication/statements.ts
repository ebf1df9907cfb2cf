/** What nodes say of their own stores, so that a store which forgot something is found out. Each statement goes on from the
 *  one before: there are as many commits or more. One that does not tells of a store that was rolled back, and two starts of one
 *  store that both know of each other tell of a copied one. Whoever notices takes nothing from that store any more and
 *  reminds the node of what it said; its own seal proves that it did, so nobody else can make it doubt itself. */
import type { NodeId, WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { decodeStatement, encodeStatement, statementNoteOf } from './catch-up-notes.js';
import type { Context } from './context.js';
import type { Statement } from './messages.js';
import type { PeerStores } from './peer-stores.js';
import { timing } from './timing.js';

/** Starts of a node that are told apart. */
const startsMax = 16;

interface Start {
  readonly statement: Statement;
  readonly heardAt: number;
  /** Rises in the order in which starts were first heard. */
  readonly place: number;
}

/** What another node said. */
class Told {
  /** The last one that went on from those before. */
  newest: Statement | undefined;
  /** Starts of the node, the one heard last at the end. */
  readonly starts = new Map<WriterId, Start>();
  nextPlace = 0;
  keptAt = -Infinity;
  remindedAt = -Infinity;
  /** What it is to be reminded of: nothing it says under that store counts. */
  reminders: readonly Statement[] = [];

  constructor(newest: Statement | undefined) {
    this.newest = newest;
  }
}

export class Statements {
  readonly #context: Context;
  readonly #stores: PeerStores;
  readonly #told = new Map<NodeId, Told>();
  /** Another start on this very store, of which peers have heard. */
  #other: WriterId | undefined;

  constructor(context: Context, stores: PeerStores) {
    this.#context = context;
    this.#stores = stores;
  }

  // Of this node.

  own(): Statement {
    const { storeId, writer } = this.#context.options;
    const arrivals = this.#context.options.arrivals!;
    const others = this.#other === undefined ? {} : { other: this.#other };
    const statement = { storeId, commits: arrivals.commits(), writer, ...others };
    return { ...statement, seal: arrivals.seal(sealedText(statement)) };
  }

  /** A peer heard these starts of this node lately: an earlier one is none to wonder about. */
  heardOf(others: readonly WriterId[]): void {
    const { writer, arrivals } = this.#context.options;
    for (const other of others.slice(0, startsMax))
      if (other !== writer && arrivals?.earlier.has(other) === false) this.#other = other;
  }

  /** Perhaps this store is not what it was when it said that. */
  onReminded(from: NodeId, statement: Statement): void {
    const { storeId, writer, arrivals } = this.#context.options;
    if (!arrivals || statement.storeId !== storeId) return;
    if (arrivals.seal(sealedText(statement)) !== statement.seal) {
      return this.#context.alarm(
        'FALSE_REMINDER',
        'What is called said by this node was not said by it.',
        from,
      );
    }
    if (statement.writer !== writer && statement.other === writer) {
      return this.#context.outbox.add({ type: 'storeTwice' });
    }
    // A start that left no trace here: this store is an older image, or a copy of it went on.
    const isStranger = statement.writer !== writer && !arrivals.earlier.has(statement.writer);
    if (isStranger || statement.commits > arrivals.commits())
      this.#context.outbox.add({ type: 'storeForgot' });
  }

  // Of others.

  /** What the peer said when it was just asked. False when its store is not to be listened to any more. */
  heard(from: NodeId, statement: Statement, now: number): boolean {
    const told = this.#toldBy(from);
    const { newest } = told;
    noteStart(told, statement, now);
    if (this.#isForked(from, told, statement, now)) return false;
    if (newest && isBehind(statement, newest) && !planted('rollback-unnoticed')) {
      const message = `Its store has ${statement.commits} commits and once had ${newest.commits}: it was rolled back.`;
      this.#context.alarm('STORE_ROLLED_BACK', message, from);
      this.#mistrust(from, told, [newest], now);
      return false;
    }
    told.newest = statement;
    this.#keep(from, told, now);
    return true;
  }

  /** What the peer said when it was just asked, under a store that does not count any more: it may not know yet. Or a frame
   *  that another one had sent long ago came in between: then this is the one it has. */
  heardVoid(from: NodeId, statement: Statement, now: number): void {
    const told = this.#toldBy(from);
    noteStart(told, statement, now);
    const { storeId } = statement;
    if (told.reminders.some((each) => each.storeId === storeId)) this.#remind(from, told, now);
    else this.#stores.confirm(from, storeId);
  }

  /** The starts of the node that were heard lately, where there are several. */
  startsOf(from: NodeId, now: number): readonly WriterId[] {
    const lately = [...this.#toldBy(from).starts].filter(
      ([, { heardAt }]) => now < heardAt + timing.startsMs,
    );
    return lately.length > 1 ? lately.slice(-2).map(([writer]) => writer) : [];
  }

  #toldBy(from: NodeId): Told {
    let told = this.#told.get(from);
    if (told) return told;
    const note = this.#context.options.arrivals?.notes.get(statementNoteOf(from));
    told = new Told(decodeStatement(note));
    this.#told.set(from, told);
    return told;
  }

  /** This start was told of another one, and knows nothing of it. Where the other was first heard later, both live: two
   *  processes use one store, or copies of it. Else this one may have begun with an older image after that one ended. */
  #isForked(from: NodeId, told: Told, statement: Statement, now: number): boolean {
    const other = statement.other === undefined ? undefined : told.starts.get(statement.other);
    if (!other || other.statement.storeId !== statement.storeId || planted('twin-unnoticed')) return false;
    const isTwice = other.place > told.starts.get(statement.writer)!.place;
    if (isTwice) {
      const message = 'Two processes use its store, or copies of it. One of them must be stopped.';
      this.#context.alarm('STORE_TWICE', message, from);
    } else {
      const message = 'Its store knows nothing of an earlier start: it was rolled back or copied.';
      this.#context.alarm('STORE_ROLLED_BACK', message, from);
    }
    this.#mistrust(from, told, [statement, other.statement], now);
    return true;
  }

  #mistrust(from: NodeId, told: Told, reminders: readonly Statement[], now: number): void {
    told.reminders = reminders;
    // The next store is another one.
    told.newest = undefined;
    this.#stores.distrust(from);
    told.remindedAt = -Infinity;
    this.#remind(from, told, now);
  }

  #remind(from: NodeId, told: Told, now: number): void {
    if (now < told.remindedAt + timing.remindMs) return;
    told.remindedAt = now;
    for (const statement of told.reminders)
      this.#context.outbox.to(from).other({ type: 'reminded', statement });
  }

  /** Durably, now and then: a start later it is still known. */
  #keep(from: NodeId, told: Told, now: number): void {
    const { newest } = told;
    if (!newest || now < told.keptAt + timing.statementsMs) return;
    told.keptAt = now;
    const value = encodeStatement(newest);
    this.#context.queue.duty({ type: 'keep', peer: from, name: statementNoteOf(from), value });
  }
}

function noteStart(told: Told, statement: Statement, now: number): void {
  const { starts } = told;
  const place = starts.get(statement.writer)?.place ?? told.nextPlace++;
  starts.delete(statement.writer);
  starts.set(statement.writer, { statement, heardAt: now, place });
  for (const [writer] of starts) if (starts.size > startsMax) starts.delete(writer);
}

/** Of one store, less than before. */
function isBehind(next: Statement, last: Statement): boolean {
  return next.storeId === last.storeId && next.commits < last.commits;
}

function sealedText({ storeId, commits, writer, other }: Omit<Statement, 'seal'>): string {
  return [storeId, commits, writer, other ?? ''].join(' ');
}
