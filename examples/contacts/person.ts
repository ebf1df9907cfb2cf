/** Somebody with the list in hand: changes it, keeps account of what was promised, and says afterwards what of it is not there. */
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
  /** How many of each person's changes took effect: a change names the next, so that it takes effect once, also where two
   *  nodes wrote it because neither could know of the other. */
  readonly made: Readonly<Record<string, number>>;
  /** What all write into at once. */
  readonly shared: { readonly phone: string; readonly note: string };
}

/** Everything a person did. */
export interface Account {
  changes: number;
  /** Were made while there was no connection. */
  queued: number;
  /** Did not apply where the order has them, and their author was told. */
  refused: number;
  /** Between the loss of the node and the next answer. */
  awayMs: number;
}

export class Person {
  readonly account: Account = { changes: 0, queued: 0, refused: 0, awayMs: 0 };
  readonly line = new Line();
  readonly client: Client;
  list!: SharedDocument<List>;
  readonly #underWay = new Set<Promise<void>>();
  /** Of the contacts that nobody else changes: what they must be in the end. */
  readonly #expected = new Map<string, Contact>();
  #letters = 0;
  #made = 0;
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
    const chance = this.random.next();
    if (chance < 0.4) this.#addOwn();
    else if (chance < 0.6) this.#changeOwn();
    else if (chance < 0.8) this.#note();
    else if (chance < 0.9)
      this.#promise({ op: 'replace', path: '/shared/phone', value: `${this.name} ${this.#made}` });
    else this.#changeAnothers();
  }

  /** Resolves when every change has its outcome. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Of what was promised, what a list has not. */
  missingIn({ contacts, made, shared }: List): string[] {
    const letters = shared.note.split(this.name[0]!).length - 1;
    const missing =
      letters === this.#letters
        ? []
        : [`${letters} letters of ${this.name} in the note, not ${this.#letters}`];
    if (made[this.name] !== this.#made)
      missing.push(`${made[this.name]} changes of ${this.name}, not ${this.#made}`);
    for (const [id, { name, phone }] of this.#expected) {
      const found = contacts[id];
      if (found?.name !== name || found.phone !== phone)
        missing.push(`${id} is ${JSON.stringify(found)}, not ${JSON.stringify({ name, phone })}`);
    }
    return missing;
  }

  async close(): Promise<void> {
    await this.client.close({ timeoutMs: 0 });
  }

  #addOwn(): void {
    const id = `${this.name}-${++this.#own}`;
    const contact = { name: `Contact ${this.#own} of ${this.name}`, by: this.name };
    this.#expected.set(id, contact);
    this.#promise({ op: 'add', path: `/contacts/${id}`, value: contact });
  }

  #changeOwn(): void {
    if (this.#own === 0) return this.#addOwn();
    const id = `${this.name}-${1 + Math.floor(this.random.next() * this.#own)}`;
    const phone = `+${Math.floor(this.random.next() * 1e9)}`;
    this.#expected.set(id, { ...this.#expected.get(id)!, phone });
    this.#promise({ op: 'add', path: `/contacts/${id}/phone`, value: phone });
  }

  /** Everybody writes somewhere into the same text: a letter, which nothing can come between. */
  #note(): void {
    const at = Math.floor(this.random.next() * (this.list.value.shared.note.length + 1));
    this.#letters++;
    this.#promise({ op: 'splice', path: '/shared/note', at, insert: this.name[0]! });
  }

  /** One removes what another may be changing: one of both comes too late, and is told. */
  #changeAnothers(): void {
    const open = Object.keys(this.list.value.contacts).filter((id) => id.startsWith('open-'));
    const id = open[Math.floor(this.random.next() * open.length)];
    if (id === undefined) return this.#note();
    const path = `/contacts/${id}`;
    const change: PatchOperation =
      this.random.next() < 0.3
        ? { op: 'remove', path }
        : { op: 'replace', path: `${path}/name`, value: this.name };
    this.#change([change], (error) => {
      if (error instanceof RinglogError && error.code === 'PATCH_FAILED') this.account.refused++;
      else this.#failed(error);
    });
  }

  /** What nobody else can be in the way of. */
  #promise(operation: PatchOperation): void {
    const path = `/made/${this.name}`;
    const next = [
      { op: 'test', path, value: this.#made },
      { op: 'replace', path, value: ++this.#made },
    ] as const;
    this.#change([...next, operation], (error) => this.#failed(error));
  }

  #change(operations: readonly PatchOperation[], refused: (error: unknown) => void): void {
    const { account } = this;
    account.changes++;
    if (this.client.state !== 'open') account.queued++;
    const change = this.list.change(operations).then(() => undefined, refused);
    this.#underWay.add(change);
    void change.finally(() => this.#underWay.delete(change));
  }

  #failed(error: unknown): void {
    this.problems.push(`${this.name}: ${String(error)}`);
  }
}
