/** Somebody who chats: has an account, writes to channels, groups and people, reads, and says what was read. Keeps account of what was said and heard. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, type Message, RinglogError, connect } from '../../src/client/index.js';
import { groupChannel, groupsOf, passwordToken, peopleOf, receiptsOf } from '../../src/client/people.js';
import { type ChannelPresence, presenceOf } from '../../src/client/presence.js';

export type Receipts = Awaited<ReturnType<ReturnType<typeof receiptsOf>['follow']>>;

export interface PersonEvents {
  heard?(message: Message): void;
  /** A channel is not this person's to read any more. */
  cut?(channel: string, error: RinglogError): void;
}

const triesMax = 20;

/** What a node could not take at that moment, and did not, is asked again. */
export async function again<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const { outcome, retryAfterMs } = error as RinglogError;
      if (outcome !== 'rejected' || retryAfterMs === undefined || tries === triesMax) throw error;
      await pause(retryAfterMs);
    }
  }
}

export class Person {
  readonly client: Client;
  /** By channel: what was delivered, in order. */
  readonly heard = new Map<string, string[]>();
  /** Of what was heard: what belongs before something heard already. */
  readonly late = new Set<string>();
  /** Of what was said: what is in the one order that all readers share. */
  readonly firm = new Set<string>();
  /** By channel: what was acknowledged of what was said, and the timestamp of the newest. */
  readonly said = new Map<string, string[]>();
  readonly newest = new Map<string, number>();
  readonly cut = new Map<string, string>();
  readonly problems: string[] = [];
  readonly #receipts = new Map<string, Receipts>();
  readonly #presences = new Map<string, ChannelPresence>();
  readonly #underWay = new Set<Promise<void>>();
  /** Of each channel the newest message that is to be marked as read, and those whose mark is on its way. */
  readonly #unread = new Map<string, Message>();
  readonly #marking = new Set<string>();

  constructor(
    readonly name: string,
    readonly urls: readonly string[],
    readonly password: string,
    readonly events: PersonEvents = {},
  ) {
    this.client = connect({ url: urls, token: passwordToken({ url: urls, name, password }) });
  }

  /** False where the account was there before. */
  static async register(name: string, urls: readonly string[], password: string): Promise<boolean> {
    const nobody = connect({ url: urls });
    try {
      await again(() => peopleOf(nobody).register({ name, password }));
      return true;
    } catch (error) {
      if (error instanceof RinglogError && error.code === 'NAME_TAKEN') return false;
      throw error;
    } finally {
      await nobody.close({ timeoutMs: 0 });
    }
  }

  get groups(): ReturnType<typeof groupsOf> {
    return groupsOf(this.client);
  }

  /** Reads its own channel. */
  async enter(): Promise<void> {
    await this.client.ready();
    this.listen(`u:${this.name}`);
  }

  /** Reads a group's channel, as somebody who is seen there. */
  enterGroup(group: string): void {
    const channel = groupChannel(group);
    this.listen(channel);
    if (!this.#presences.has(channel)) this.#presences.set(channel, presenceOf(this.client).follow(channel));
  }

  listen(channel: string): void {
    if (this.heard.has(channel) && !this.cut.has(channel)) return;
    this.cut.delete(channel);
    const heard: string[] = [];
    this.heard.set(channel, heard);
    const subscription = this.client.subscribe(channel, { start: 'beginning', presence: this.name });
    subscription.on('entry', (message) => {
      heard.push(String(message.data));
      if (message.late) this.late.add(String(message.data));
      this.events.heard?.(message);
      // Channels of people and groups alone have receipts.
      if (message.actor === this.name || !/^[ug]:/.test(channel)) return;
      // Of those that are late the timestamps are lower: who has read the newest has read them.
      const newest = this.#unread.get(channel);
      if (!newest || newest.timestamp < message.timestamp) this.#unread.set(channel, message);
      void this.#mark(channel);
    });
    subscription.on('gap', ({ reason }) =>
      this.problems.push(`${this.name}: a gap in ${channel} (${reason})`),
    );
    subscription.on('error', (error) => {
      this.cut.set(channel, error.code);
      this.events.cut?.(channel, error);
    });
  }

  say(channel: string, text: string): void {
    const saying = this.client.publish(channel, text).then(
      ({ timestamp, level }) => {
        if (level === 'quorum') this.firm.add(text);
        this.said.set(channel, [...(this.said.get(channel) ?? []), text]);
        this.newest.set(channel, Math.max(this.newest.get(channel) ?? 0, timestamp));
      },
      (error: unknown) => void this.problems.push(`${this.name}: ${text} to ${channel}: ${String(error)}`),
    );
    this.#underWay.add(saying);
    void saying.finally(() => this.#underWay.delete(saying));
  }

  /** Resolves when everything that was said has its outcome. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Of what was said where this person listens, all was heard. */
  hearsItself(): boolean {
    return [...this.said].every(([channel, texts]) => {
      const heard = this.cut.has(channel) ? undefined : this.heard.get(channel);
      return !heard || texts.every((text) => heard.includes(text));
    });
  }

  /** Users seen in a group. */
  seenIn(group: string): string[] {
    const members = this.#presences.get(groupChannel(group))?.members.values() ?? [];
    return [...new Set([...members].map(({ user = '' }) => user))].sort();
  }

  async receipts(channel: string): Promise<Receipts> {
    const known = this.#receipts.get(channel) ?? (await receiptsOf(this.client).follow(channel));
    this.#receipts.set(channel, known);
    return known;
  }

  async close(): Promise<void> {
    await this.client.close({ timeoutMs: 0 });
  }

  /** One mark at a time: what comes meanwhile is in the next. */
  async #mark(channel: string): Promise<void> {
    if (this.#marking.has(channel)) return;
    this.#marking.add(channel);
    for (let message; (message = this.#unread.get(channel));) {
      this.#unread.delete(channel);
      const { timestamp } = message;
      try {
        await receiptsOf(this.client).read({ channel, timestamp });
      } catch (error) {
        if (this.client.state !== 'closed' && !this.cut.has(channel))
          this.problems.push(`${this.name}: mark in ${channel}: ${String(error)}`);
      }
    }
    this.#marking.delete(channel);
  }
}
