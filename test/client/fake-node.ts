/** A node small enough to be surely right: one log a channel, one writer at a time, everything durable at once. It
 *  speaks the real protocol through the real codecs and can be told to misbehave. */
import { assert } from '../../src/base/assert.js';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import type { ChannelName, Dot, HubName, WriterId } from '../../src/base/ids.js';
import { encodeCursor, decodeCursor } from '../../src/log/cursor.js';
import { decodeContent, encodeContent } from '../../src/log/entry-wire.js';
import { PublisherTable } from '../../src/log/publisher-sequence.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { type Failure, failure } from '../../src/protocol/errors.js';
import { decodeClientFrame, encodeServerFrame } from '../../src/protocol/index.js';
import type {
  ClientMessage,
  DeliverySlice,
  HistoryMessage,
  PublishMessage,
  ServerMessage,
  Start,
  SubscribedChannel,
} from '../../src/protocol/messages.js';

export const hub = 'default' as HubName;

export interface Stored {
  readonly dot: Dot;
  readonly text: string;
  readonly key: string | undefined;
  readonly slice: DeliverySlice;
  readonly timestamp: number;
  readonly message: PublishMessage;
  readonly publisher: PublisherOf | undefined;
}

interface Channel {
  readonly name: string;
  readonly log: Stored[];
  readonly keys: Map<string, Stored>;
  publishers: PublisherTable;
}

/** One connection as the node sees it. */
export class FakeSession {
  publisher: { readonly id: string; readonly epoch: number } | undefined;
  id = '';
  /** Subscribed to by itself. */
  automatic: string | undefined;
  /** What brings it back. */
  key: string | undefined;
  /** Next entry to deliver. */
  readonly subscribed = new Map<string, number>();
  constructor(
    readonly send: (frame: Uint8Array) => void,
    readonly close: (code: number, reason: string) => void,
  ) {}
}

export interface Misbehaviour {
  /** Asked for every publish: an error to answer with, and whether it is written all the same. */
  readonly publish?: (message: PublishMessage) => { failure: Failure; written: boolean } | undefined;
  /** A publish is answered by nothing. */
  readonly silent?: boolean;
  readonly refuseCall?: Failure;
  readonly refuseToken?: (token: string | undefined) => boolean;
  /** Channel that whoever has a token is in by itself. */
  readonly ownChannel?: string;
  /** No session comes back. */
  readonly restoresNothing?: boolean;
  /** How many entries before its cursor a resumed reader is sent again: a cursor may cover less than it should. */
  readonly repeats?: () => number;
}

export class FakeNode {
  readonly channels = new Map<string, Channel>();
  readonly sessions = new Set<FakeSession>();
  misbehaviour: Misbehaviour = {};
  /** Requests as they came, for tests that look. */
  readonly requests: ClientMessage[] = [];
  /** Methods that were called. */
  readonly called: string[] = [];
  /** By key: the id of a session, and its subscriptions. */
  readonly kept = new Map<string, { readonly id: string; readonly channels: ReadonlyMap<string, number> }>();
  #ids = 0;
  #starts = 0;
  #writer = '' as WriterId;
  #seqs = new Map<string, number>();
  #clock = 4096;

  constructor() {
    this.restart();
  }

  /** A new process on the same disk: a new writer, and what was only in memory is gone. */
  restart(): void {
    this.#writer = (this.#starts++).toString(16).padStart(24, '0') as WriterId;
    this.#seqs = new Map();
    for (const channel of this.channels.values()) {
      channel.publishers = new PublisherTable();
      for (const { publisher } of channel.log) {
        if (publisher) channel.publishers.add(publisher.id, publisher.epoch, publisher.seq);
      }
    }
  }

  texts(channel: string): string[] {
    return this.#channel(channel).log.map(({ text }) => text);
  }

  connected(session: FakeSession): void {
    this.sessions.add(session);
    session.id = `s${++this.#ids}`;
    this.#send(session, 0, {
      type: 'sessionInfo',
      sessionId: session.id,
      hub,
      nodeId: 'fake',
      serverVersion: '0',
      protocolVersion: 1,
      authenticated: false,
      anonymousAllowed: true,
      pingIntervalMs: 20_000,
      messageBytesMax: 1_048_576,
      frameBytesMax: 2_097_152,
      subscriptionsMax: 4096,
      time: this.#clock,
    });
  }

  gone(session: FakeSession): void {
    this.sessions.delete(session);
  }

  received(session: FakeSession, frame: Uint8Array): void {
    const decoded = decodeClientFrame('protobuf', frame);
    assert(decoded.ok, 'the client writes frames that can be read');
    for (const envelope of decoded.value) {
      assert('message' in envelope, 'the client writes messages that are valid');
      this.requests.push(envelope.message);
      this.#handle(session, envelope.requestId, envelope.message);
    }
  }

  /** Writes an entry of somebody else's. */
  write(channelName: string, text: string): Stored {
    const content = encodeContent({ payload: utf8(text) });
    const message = { type: 'publish', channel: channelName, content } as const;
    const stored = this.#append(this.#channel(channelName), message, undefined);
    for (const session of this.sessions) this.deliver(session);
    return stored;
  }

  /** Writes an entry of the log a second time, as another owner may that does not know of it. */
  writeAgain(channelName: string, index: number): Stored {
    const channel = this.#channel(channelName);
    const { message, publisher } = channel.log[index]!;
    return this.#append(channel, message, publisher);
  }

  /** Sends a subscriber what it has not had. */
  deliver(session: FakeSession): void {
    for (const [name, from] of session.subscribed) {
      const { log } = this.#channel(name);
      for (const { slice } of log.slice(from)) this.#send(session, 0, { type: 'delivery', delivery: slice });
      session.subscribed.set(name, log.length);
    }
  }

  #handle(session: FakeSession, requestId: number, message: ClientMessage): void {
    const answer = (reply: ServerMessage): void => this.#send(session, requestId, reply);
    switch (message.type) {
      case 'auth':
        if (this.misbehaviour.refuseToken?.(message.token)) return session.close(4401, 'UNAUTHENTICATED');
        session.publisher = message.publisher;
        answer({ type: 'auth', authenticated: message.token !== undefined });
        return message.token === undefined ? undefined : this.#putInOwn(session);
      case 'ping':
        return answer({ type: 'pong' });
      case 'pong':
        return;
      case 'close':
        return this.gone(session);
      case 'subscribe':
        answer({ type: 'subscribe', results: message.channels.map((each) => this.#open(session, each)) });
        return this.deliver(session);
      case 'unsubscribe':
        for (const channel of message.channels) session.subscribed.delete(channel);
        return answer({ type: 'unsubscribe', results: message.channels.map((channel) => ({ channel })) });
      case 'publish':
        return this.#publish(session, requestId, message);
      case 'history':
        return answer(this.#history(message));
      case 'documentGet':
      case 'notifications':
        return answer({ type: 'error', error: failure('NOT_FOUND') });
      case 'presence':
      case 'presenceUpdate':
      case 'occupancy':
        return answer({ type: 'error', error: failure('NO_PRESENCE') });
      case 'sessionRestore':
        return message.key ? this.#restore(session, requestId, message) : this.#keep(session, requestId);
      case 'rpc': {
        const { method, contentType, payload } = message;
        this.called.push(method);
        const error = this.misbehaviour.refuseCall;
        if (this.misbehaviour.silent) return;
        if (error) return answer({ type: 'error', error });
        return answer({ type: 'rpc', payload, ...(contentType === undefined ? {} : { contentType }) });
      }
      case 'user': {
        if (this.misbehaviour.silent) return;
        const { action, request } = message;
        return answer({
          type: 'user',
          answer: JSON.stringify({ action, request, token: `token of ${action}` }),
        });
      }
    }
  }

  #putInOwn(session: FakeSession): void {
    const { ownChannel: channel } = this.misbehaviour;
    if (channel === undefined) return;
    const { cursor } = this.#open(session, { channel, start: { type: 'live' } });
    session.automatic = channel;
    this.#send(session, 0, { type: 'subscribe', results: [{ channel, ...(cursor && { cursor }) }] });
  }

  /** What is kept is looked at when the connection is gone: as if every change were written at once. */
  #keep(session: FakeSession, requestId: number): void {
    session.key = `key of ${session.id} ${this.kept.size}`;
    this.kept.set(session.key, { id: session.id, channels: session.subscribed });
    const [key, added] = [utf8(session.key), [...session.subscribed.keys()]];
    this.#send(session, requestId, { type: 'sessionKept', key, added, dropped: [], leftOut: 0, forMs: 1 });
  }

  #restore(
    session: FakeSession,
    requestId: number,
    { key = new Uint8Array(0), cursors }: Extract<ClientMessage, { type: 'sessionRestore' }>,
  ): void {
    const used = utf8Text(key);
    const kept = this.misbehaviour.restoresNothing === true ? undefined : this.kept.get(used);
    if (!kept) return this.#send(session, requestId, { type: 'error', error: failure('NOT_RESTORED') });
    this.kept.delete(used);
    session.id = kept.id;
    session.key = `key of ${kept.id} ${this.kept.size} again`;
    this.kept.set(session.key, { id: kept.id, channels: session.subscribed });
    const places = new Map(cursors.map(({ channel, cursor }) => [channel, cursor]));
    const results = [...kept.channels.keys()].map((channel) => {
      const cursor = places.get(channel);
      return this.#open(session, { channel, start: cursor ? { type: 'cursor', cursor } : { type: 'live' } });
    });
    const next = utf8(session.key);
    this.#send(session, requestId, { type: 'sessionRestored', sessionId: kept.id, key: next, results });
    this.deliver(session);
  }

  #publish(session: FakeSession, requestId: number, message: PublishMessage): void {
    if (this.misbehaviour.silent) return;
    const wrong = this.misbehaviour.publish?.(message);
    const outcome = wrong && !wrong.written ? wrong.failure : this.#take(session, message);
    if ('code' in outcome || wrong) {
      const error = wrong?.failure ?? (outcome as Failure);
      return this.#send(session, requestId, { type: 'error', error });
    }
    const { stored, duplicate } = outcome;
    this.#send(session, requestId, {
      type: 'ack',
      ...(stored.dot.seq === 0 ? undefined : { dot: stored.dot }),
      timestamp: stored.timestamp,
      level: 'quorum',
      copies: 1,
      count: 1,
      duplicate,
    });
    for (const each of this.sessions) this.deliver(each);
  }

  #take(session: FakeSession, message: PublishMessage): Failure | { stored: Stored; duplicate: boolean } {
    const channel = this.#channel(message.channel);
    const { idempotencyKey, publisherSeq, ackedThrough } = message;
    if (message.level === 'memory' || message.store === false) {
      const signal = { dot: { writer: this.#writer, seq: 0 }, timestamp: this.#clock++ } as Stored;
      return { stored: signal, duplicate: false };
    }
    const scope = session.publisher?.id ?? '';
    const key = `${scope}/${idempotencyKey}`;
    const known = idempotencyKey === undefined ? undefined : channel.keys.get(key);
    if (known) return { stored: known, duplicate: true };
    const publisher =
      session.publisher && publisherSeq !== undefined
        ? { ...session.publisher, seq: publisherSeq }
        : undefined;
    if (publisher) {
      const verdict = channel.publishers.check({
        scope,
        epoch: publisher.epoch,
        seq: publisher.seq,
        ackedThrough,
      });
      if (verdict !== 'next') return failure('OUT_OF_ORDER', { channel: channel.name });
    }
    const stored = this.#append(channel, message, publisher);
    if (idempotencyKey !== undefined) channel.keys.set(key, stored);
    return { stored, duplicate: false };
  }

  #append(channel: Channel, message: PublishMessage, publisher: PublisherOf | undefined): Stored {
    const seq = (this.#seqs.get(channel.name) ?? 0) + 1;
    this.#seqs.set(channel.name, seq);
    const timestamp = this.#clock++;
    const last = channel.log.at(-1)?.dot;
    const run = new RunWriter();
    run.begin({ hub, channel: channel.name as ChannelName }, this.#writer, 0, seq, seq === 1 ? 0 : 7);
    run.append({
      timestamp,
      kind: message.kind ?? 'publish',
      content: message.content,
      publisher,
      idempotencyKey: message.idempotencyKey,
      parents: seq === 1 && last ? [last] : undefined,
    });
    const { offset, headerBytes, recordBytes } = run.end();
    const records = run.bytes().slice(offset + headerBytes, offset + headerBytes + recordBytes);
    const content = decodeContent(message.content);
    assert(content.ok, 'content is valid');
    const stored = {
      dot: { writer: this.#writer, seq },
      text: new TextDecoder().decode(content.value.payload),
      key: message.idempotencyKey,
      timestamp,
      slice: { channel: channel.name, writer: this.#writer, round: 0, late: false, records },
      publisher,
      // The content is a view of a frame.
      message: { ...message, content: message.content.slice() },
    };
    channel.log.push(stored);
    if (publisher) channel.publishers.add(publisher.id, publisher.epoch, publisher.seq);
    return stored;
  }

  #open(
    session: FakeSession,
    { channel: name, start }: { channel: string; start: Start },
  ): SubscribedChannel {
    if (session.automatic === name) session.subscribed.delete(name);
    session.automatic = undefined;
    if (session.subscribed.has(name)) return { channel: name, error: failure('ALREADY_SUBSCRIBED') };
    const { log } = this.#channel(name);
    const position = this.#positionOf(name, start);
    if (position === undefined) return { channel: name, error: failure('BAD_CURSOR', { channel: name }) };
    session.subscribed.set(name, position);
    const retained = start.type === 'live' ? log.at(-1)?.slice : undefined;
    return { channel: name, cursor: this.cursorAt(name, position), ...(retained && { retained }) };
  }

  #positionOf(name: string, start: Start): number | undefined {
    const { log } = this.#channel(name);
    switch (start.type) {
      case 'live':
        return log.length;
      case 'beginning':
        return 0;
      case 'last':
        return Math.max(0, log.length - start.count);
      case 'since':
        return log.findIndex(({ timestamp }) => timestamp >= start.unixMs);
      case 'cursor': {
        const heads = decodeCursor({ hub, channel: name as ChannelName }, start.cursor);
        if (!heads.ok) return undefined;
        const positions = heads.value.map((head) =>
          log.findIndex(({ dot }) => dot.writer === head.writer && dot.seq === head.seq),
        );
        assert(!positions.includes(-1), 'a cursor names entries of the log');
        const position = Math.max(-1, ...positions) + 1;
        return Math.max(0, position - (this.misbehaviour.repeats?.() ?? 0));
      }
    }
  }

  cursorAt(name: string, position: number): Uint8Array {
    const last = this.#channel(name).log[position - 1]?.dot;
    return encodeCursor({ hub, channel: name as ChannelName }, last ? [last] : []);
  }

  #history({ channel, cursor, limit = 10 }: HistoryMessage): ServerMessage {
    const { log } = this.#channel(channel);
    const from = cursor ? this.#positionOf(channel, { type: 'cursor', cursor }) : 0;
    assert(from !== undefined, 'a cursor of this channel');
    const to = Math.min(log.length, from + limit);
    return {
      type: 'history',
      channel,
      deliveries: log.slice(from, to).map(({ slice }) => slice),
      gaps: [],
      cursor: this.cursorAt(channel, to),
      more: to < log.length,
    };
  }

  #channel(name: string): Channel {
    let channel = this.channels.get(name);
    if (!channel) {
      channel = { name, log: [], keys: new Map(), publishers: new PublisherTable() };
      this.channels.set(name, channel);
    }
    return channel;
  }

  #send(session: FakeSession, requestId: number, message: ServerMessage): void {
    session.send(encodeServerFrame('protobuf', [{ requestId, message }]));
  }
}

interface PublisherOf {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}
