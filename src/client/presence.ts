/** Who is in channels, and how many, on top of the client: `ringlog/presence`, for browsers and Node.
 *
 *      const client = connect('http://127.0.0.1:8080');
 *      client.subscribe('room:1', { presence: { name: 'Ada' } });
 *      const room = presenceOf(client).follow('room:1');
 *      room.on('join', ({ metadata }) => console.log(metadata));
 *      room.on('leave', ({ session }) => console.log(session));
 */
import { channelNameFor } from '../base/ids.js';
import type { Member as WireMember } from '../protocol/messages.js';
import { jsonText } from './arguments.js';
import type { Client, PresenceEvent } from './client.js';
import { Emitter, type Listener } from './emitter.js';
import type { RinglogError } from './error.js';

/** One connection in a channel. */
export interface Member {
  /** The session's id; `client.session.sessionId` is one's own. */
  readonly session: string;
  /** Who it authenticated as. */
  readonly user?: string;
  /** What it says of itself there. */
  readonly metadata?: unknown;
  /** Unix milliseconds, by the clock of its node. */
  readonly since: number;
}

export interface MembersPage {
  readonly members: readonly Member[];
  /** All that are present. */
  readonly count: number;
  /** There are members behind these: ask with `after` the last one's session. */
  readonly more: boolean;
}

export interface ChannelPresenceEvents {
  readonly join: Member;
  /** It says something else of itself. */
  readonly update: Member;
  readonly leave: Member;
  readonly count: number;
  /** The list is whole: for the first time, and again after every interruption. */
  readonly synced: { readonly count: number };
  /** The end, for a reason: NO_PRESENCE, DENIED. */
  readonly error: RinglogError;
}

export function presenceOf(client: Client): Presence {
  return new Presence(client);
}

/** Methods that ask reject with RinglogError. */
class Presence {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Keeps a list of who is there until it is closed. It costs what the list does: for a number, `followCount`. */
  follow(channel: string): ChannelPresence {
    return new ChannelPresence(this.#client, channelNameFor(channel));
  }

  /** Calls back with how many are there, now and whenever that changes; `failed` once, where it cannot be had: NO_PRESENCE,
   *  DENIED. Returns what ends it. */
  followCount(
    channel: string,
    listener: (count: number) => void,
    failed?: (error: RinglogError) => void,
  ): () => void {
    return followCount(this.#client, channelNameFor(channel), listener, failed);
  }

  /** A page in the order of sessions: those behind the session `after`. */
  async members(
    channel: string,
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<MembersPage> {
    const message = { type: 'presence', channel: channelNameFor(channel), ...options } as const;
    const { members, count, more } = await this.#client.ask(message);
    return { members: members.map(memberOf), count, more };
  }

  /** How many are there. */
  async count(channel: string): Promise<number> {
    const message = { type: 'occupancy', channel: channelNameFor(channel) } as const;
    return (await this.#client.ask(message)).count;
  }

  /** What others see of this client in a channel it is subscribed to, until the subscription is closed; `undefined`: nothing. */
  async update(channel: string, metadata: unknown): Promise<void> {
    const name = channelNameFor(channel);
    const text = jsonText(metadata);
    this.#client.sayIn(name, text);
    const message = { type: 'presenceUpdate', channel: name } as const;
    await this.#client.ask(text === undefined ? message : { ...message, metadata: text });
  }
}
export type { Presence };

/** Of a list that is not to be had by changes alone any more: that many clients would ask for it at once. */
const anewMs = 1_000;
const anewMsMax = 30_000;
const ends = new Set<string>(['NO_PRESENCE', 'DENIED', 'BAD_NAME', 'UNAUTHENTICATED', 'TOO_MANY', 'CLOSED']);

/** Who is in one channel, kept up to date. */
export class ChannelPresence {
  readonly channel: string;
  readonly #client: Client;
  readonly #events: Emitter<ChannelPresenceEvents>;
  readonly #members = new Map<string, Member>();
  readonly #offs: (() => void)[];
  #count = 0;
  /** Of the list that is being got: sessions that were named since it began. */
  #named: Set<string> | undefined;
  #round = 0;
  #cancelAnew: (() => void) | undefined;
  #isClosed = false;

  /** @internal */
  constructor(client: Client, channel: string) {
    this.channel = channel;
    this.#client = client;
    this.#events = new Emitter((error) => client.platform.report(error));
    this.#offs = [
      client.on('presence', (event) => this.#received(event)),
      client.on('error', (error) => error.channel === channel && this.#failed(error)),
      client.on('state', ({ state }) => state === 'open' && void this.#sync()),
    ];
    void this.#sync();
  }

  /** By session. Whole once `synced` was told; what it was, while there is no connection. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** All that are present, also where there are too many to be named one by one. */
  get count(): number {
    return this.#count;
  }

  /** Returns what ends it. */
  on<K extends keyof ChannelPresenceEvents>(
    name: K,
    listener: Listener<ChannelPresenceEvents[K]>,
  ): () => void {
    return this.#events.on(name, listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#end();
    const message = { type: 'presence', channel: this.channel, limit: 1, follow: false } as const;
    if (this.#client.state === 'open') this.#client.ask(message).catch(() => undefined);
  }

  #end(): void {
    this.#isClosed = true;
    this.#round++;
    this.#cancelAnew?.();
    for (const off of this.#offs.splice(0)) off();
  }

  /** Gets the list page by page, while changes come beside it. */
  async #sync(): Promise<void> {
    const round = ++this.#round;
    this.#cancelAnew?.();
    this.#named = new Set();
    try {
      for (let after = '', more = true; more;) {
        const message = { type: 'presence', channel: this.channel, after, follow: true } as const;
        const page = await this.#client.ask(message);
        if (round !== this.#round) return;
        for (const member of page.members) this.#join(member);
        this.#counted(page.count);
        after = page.members.at(-1)?.session ?? '';
        more = page.more && after !== '';
      }
    } catch (error) {
      if (round === this.#round) this.#failed(error as RinglogError);
      return;
    }
    const named = this.#named;
    this.#named = undefined;
    for (const session of this.#members.keys()) if (!named.has(session)) this.#leave(session);
    this.#events.emit('synced', { count: this.#count });
  }

  #failed(error: RinglogError): void {
    if (this.#isClosed) return;
    if (!ends.has(error.code)) return this.#anew(anewMs);
    this.#end();
    this.#events.emit('error', error);
  }

  #received(event: PresenceEvent): void {
    if (event.channel !== this.channel || this.#isClosed) return;
    if (event.type === 'join') for (const member of event.members) this.#join(member);
    if (event.type === 'leave') for (const session of event.sessions) this.#leave(session);
    this.#counted(event.count);
    if (event.type === 'join' && event.more > 0) this.#anew(Math.min(anewMsMax, anewMs + event.count));
  }

  /** Not at once with all others. */
  #anew(withinMs: number): void {
    this.#cancelAnew?.();
    const { platform } = this.#client;
    this.#cancelAnew = platform.after(withinMs * (0.5 + platform.random.next() / 2), () => void this.#sync());
  }

  #join(member: WireMember): void {
    const { session } = member;
    const before = this.#members.get(session);
    const now = memberOf(member);
    this.#named?.add(session);
    this.#members.set(session, now);
    if (!before) this.#events.emit('join', now);
    else if (JSON.stringify(before) !== JSON.stringify(now)) this.#events.emit('update', now);
  }

  #leave(session: string): void {
    const member = this.#members.get(session);
    this.#named?.delete(session);
    if (this.#members.delete(session)) this.#events.emit('leave', member!);
  }

  #counted(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    this.#events.emit('count', count);
  }
}

function followCount(
  client: Client,
  channel: string,
  listener: (count: number) => void,
  failed: (error: RinglogError) => void = () => undefined,
): () => void {
  let last: number | undefined;
  let isOver = false;
  let offs: (() => void)[] = [];
  const end = (): void => {
    isOver = true;
    for (const off of offs) off();
  };
  const told = (count: number): void => {
    if (isOver || count === last) return;
    last = count;
    listener(count);
  };
  const refused = (error: RinglogError): void => {
    if (isOver) return;
    if (!ends.has(error.code)) return void client.platform.after(anewMs, ask);
    end();
    failed(error);
  };
  const ask = (): void => {
    if (isOver) return;
    client.ask({ type: 'occupancy', channel, follow: true }).then(({ count }) => told(count), refused);
  };
  offs = [
    client.on('presence', (event) => {
      if (event.type === 'occupancy' && event.channel === channel) told(event.count);
    }),
    client.on('error', (error) => error.channel === channel && refused(error)),
    client.on('state', ({ state }) => state === 'open' && ask()),
  ];
  ask();
  return () => {
    end();
    if (client.state === 'open')
      client.ask({ type: 'occupancy', channel, follow: false }).catch(() => undefined);
  };
}

function memberOf({ session, user, metadata, since }: WireMember): Member {
  return {
    session,
    ...(user === undefined ? undefined : { user }),
    ...(metadata === undefined ? undefined : { metadata: JSON.parse(metadata) as unknown }),
    since,
  };
}
