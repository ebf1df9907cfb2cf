/** Somebody with the list in hand: changes it, keeps account of what was promised, and says again what of it came to nothing.
 *
 *  An acknowledgement says that a change is written. Below `quorum`, which is what a node gives that sees no majority, it may
 *  come to stand elsewhere once the nodes know of each other, and be void there; and a change whose answer was lost may have
 *  been written by two nodes. So no change depends on the one before it: either it sets something to what it shall be,
 *  whatever was there, or it takes a ticket of its own away, which it can do once. A ticket that is still there says that its
 *  change had no effect. */
import { SharedDocument } from '../../src/client/documents-entry.js';
import { type Client, type PatchOperation, RinglogError, connect } from '../../src/client/index.js';
import type { Random } from '../../src/base/random.js';
import { Line } from './line.js';

export const channel = 'doc:contacts';

interface Contact {
  readonly name: string;
  readonly phone?: string;
  readonly by?: string;
}

export interface List {
  readonly contacts: Readonly<Record<string, Contact>>;
  /** Of each person those that no change has taken yet. */
  readonly tickets: Readonly<Record<string, Readonly<Record<string, true>>>>;
  /** What all write into at once. */
  readonly shared: { readonly phone: string; readonly note: string };
}

/** Everything a person did. */
export interface Account {
  changes: number;
  /** Were made while there was no connection. */
  queued: number;
  /** Did not apply where the order has them: their author was told, or saw it by their ticket. */
  refused: number;
  /** Were acknowledged by a node alone, which lost them: their author was told. */
  lost: number;
  /** Were acknowledged below quorum: nobody but that node may have them yet. */
  alone: number;
  /** Changes that were said again. */
  again: number;
  /** Between the loss of the node and the next answer. */
  awayMs: number;
}

/** A change with a ticket, until it surely took effect. */
interface Wish {
  /** Undefined once it is not wanted any more. */
  readonly operation: () => PatchOperation | undefined;
  /** As what it was acknowledged; undefined while it is on its way, and once it was refused. */
  id: string | undefined;
}

export class Person {
  readonly account: Account = {
    changes: 0,
    queued: 0,
    refused: 0,
    lost: 0,
    alone: 0,
    again: 0,
    awayMs: 0,
  };
  readonly line = new Line();
  readonly client: Client;
  list!: SharedDocument<List>;
  readonly #underWay = new Set<Promise<string | undefined>>();
  /** Of the contacts that nobody else changes: what they must be in the end. */
  readonly #expected = new Map<string, Contact>();
  readonly #wishes = new Map<string, Wish>();
  /** What was acknowledged and is lost. */
  readonly #lost = new Set<string | undefined>();
  #letters = 0;
  /** What went wrong and should not have. */
  readonly problems: string[] = [];
  #own = 0;

  constructor(
    readonly name: string,
    urls: readonly string[],
    readonly random: Random,
  ) {
    this.client = connect({ url: urls, webSocket: this.line.webSocket });
  }

  async open(): Promise<void> {
    this.list = await SharedDocument.open<List>(this.client, channel);
    this.list.on('refused', ({ code, id }) => {
      if (code !== 'LOST') return;
      this.account.lost++;
      this.#lost.add(id);
    });
    // Its node may not have heard yet that the first change is committed.
    if (this.list.version > 0) return;
    await new Promise<void>((resolve) => {
      const off = this.list.on('change', () => {
        off();
        resolve();
      });
    });
  }

  get node(): string {
    return this.client.session?.nodeId ?? '';
  }

  /** One more change of some kind; it shows at once. */
  act(): void {
    const { account } = this;
    account.changes++;
    if (this.client.state !== 'open') account.queued++;
    const chance = this.random.next();
    if (chance < 0.4) this.#addOwn();
    else if (chance < 0.6) this.#changeOwn();
    else if (chance < 0.8) this.#note();
    else if (chance < 0.9) void this.#change({ op: 'replace', path: '/shared/phone', value: this.#phone() });
    else this.#changeAnothers();
  }

  /** Resolves when every change has its outcome. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Says again what is not in the list and not on its way; none where all is there. */
  mend(): void {
    if (this.#underWay.size > 0 || this.list.pending > 0) return;
    const { contacts, tickets } = this.list.value;
    for (const [ticket, wish] of this.#wishes) if (tickets[this.name]![ticket]) this.#wishAgain(ticket, wish);
    for (const [id, contact] of this.#expected) {
      if (isSame(contacts[id], contact)) continue;
      this.account.again++;
      this.#put(id, contact);
    }
  }

  /** Of what was promised, what a list has not. */
  missingIn({ contacts, tickets, shared }: List): string[] {
    const letters = shared.note.split(this.name[0]!).length - 1;
    const missing =
      letters === this.#letters
        ? []
        : [`${letters} letters of ${this.name} in the note, not ${this.#letters}`];
    for (const ticket of this.#wishes.keys())
      if (tickets[this.name]![ticket]) missing.push(`change ${ticket} of ${this.name} took no effect`);
    for (const [id, contact] of this.#expected)
      if (!isSame(contacts[id], contact))
        missing.push(`${id} is ${JSON.stringify(contacts[id])}, not ${JSON.stringify(contact)}`);
    return missing;
  }

  async close(): Promise<void> {
    await this.client.close({ timeoutMs: 0 });
  }

  #addOwn(): void {
    const id = `${this.name}-${++this.#own}`;
    this.#put(id, { name: `Contact ${this.#own} of ${this.name}`, by: this.name });
  }

  #changeOwn(): void {
    if (this.#own === 0) return this.#addOwn();
    const id = `${this.name}-${1 + Math.floor(this.random.next() * this.#own)}`;
    this.#put(id, { ...this.#expected.get(id)!, phone: this.#phone() });
  }

  /** The whole contact, whether it was there or not: it cannot fail to apply, and may be said as often as one likes. */
  #put(id: string, contact: Contact): void {
    this.#expected.set(id, contact);
    void this.#change({ op: 'add', path: `/contacts/${id}`, value: contact });
  }

  #phone(): string {
    return `+${Math.floor(this.random.next() * 1e9)}`;
  }

  /** Everybody writes somewhere into the same text: a letter, which nothing can come between. */
  #note(): void {
    this.#letters++;
    this.#wish(() => {
      const at = Math.floor(this.random.next() * (this.list.value.shared.note.length + 1));
      return { op: 'splice', path: '/shared/note', at, insert: this.name[0]! };
    });
  }

  /** One removes what another may be changing: one of both comes too late, is told, and leaves it at that. */
  #changeAnothers(): void {
    const open = Object.keys(this.list.value.contacts).filter((id) => id.startsWith('open-'));
    const id = open[Math.floor(this.random.next() * open.length)];
    if (id === undefined) return this.#note();
    const path = `/contacts/${id}`;
    const change: PatchOperation =
      this.random.next() < 0.3
        ? { op: 'remove', path }
        : { op: 'replace', path: `${path}/name`, value: this.name };
    let isSaid = false;
    this.#wish(() => {
      if (isSaid) return undefined;
      isSaid = true;
      return change;
    });
  }

  #wish(operation: Wish['operation']): void {
    const ticket = `${this.account.changes}`;
    const wish = { operation, id: undefined };
    this.#wishes.set(ticket, wish);
    this.#take(ticket, wish, operation()!);
  }

  #wishAgain(ticket: string, wish: Wish): void {
    // One that was refused was counted then.
    if (wish.id !== undefined && !this.#lost.has(wish.id)) this.account.refused++;
    const operation = wish.operation();
    if (!operation) return void this.#wishes.delete(ticket);
    this.account.again++;
    this.#take(ticket, wish, operation);
  }

  #take(ticket: string, wish: Wish, operation: PatchOperation): void {
    wish.id = undefined;
    const take = { op: 'remove', path: `/tickets/${this.name}/${ticket}` } as const;
    void this.#change(take, operation).then((id) => (wish.id = id));
  }

  /** Resolves with what it was acknowledged as, or nothing. */
  async #change(...operations: readonly PatchOperation[]): Promise<string | undefined> {
    const said = async () => {
      const { id, level } = await this.list.change(operations);
      if (level === 'owner') this.account.alone++;
      return id;
    };
    const change = said().catch((error: unknown) => this.#refused(error));
    this.#underWay.add(change);
    const id = await change;
    this.#underWay.delete(change);
    return id;
  }

  #refused(error: unknown): undefined {
    if (error instanceof RinglogError && error.code === 'PATCH_FAILED') this.account.refused++;
    else this.problems.push(`${this.name}: ${String(error)}`);
  }
}

function isSame(found: Contact | undefined, { name, phone }: Contact): boolean {
  return found?.name === name && found.phone === phone;
}
