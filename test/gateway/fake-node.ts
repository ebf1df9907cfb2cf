/** A node that answers from a script, so that the gateway alone is tested; and a gateway in front of it. */
import type { Keep } from '../../src/log/retention.js';
import { connect, type Socket } from 'node:net';
import { ByteWriter, utf8 } from '../../src/base/bytes.js';
import {
  type ChannelName,
  type Dot,
  type HubName,
  type NodeId,
  type WriterId,
  dotText,
} from '../../src/base/ids.js';
import type { RingMemberState } from '../../src/cluster/ring.js';
import { type Result, err, ok } from '../../src/base/result.js';
import { seededRandom } from '../../src/base/random.js';
import type {
  Call,
  ClusterApi,
  HistoryPage,
  LogPage,
  LogQuery,
  NodeApi,
  NodeStatus,
  OpenSession,
  Principal,
  PublishAccepted,
  SessionHandle,
} from '../../src/engine/api.js';
import type { GatewayOptions } from '../../src/gateway/context.js';
import { type Gateway, startGateway } from '../../src/gateway/http-server.js';
import type { Change, SettingsDocument } from '../../src/hubs/change.js';
import { encodeCursor } from '../../src/log/cursor.js';
import { encodeEntry, placeOf } from '../../src/log/entry-wire.js';
import type { Entry } from '../../src/log/entry.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { type Failure, failure } from '../../src/protocol/errors.js';
import type {
  HistoryMessage,
  Member,
  PublishMessage,
  RpcAnswer,
  RpcMessage,
} from '../../src/protocol/messages.js';

export const writer = '0123456789abcdef01234567' as WriterId;
export const adminToken = 'admin-token';
export const userToken = 'user-token';
/** Of a provider of the hub: known where it is asked for. */
export const hubToken = 'hub-token';
const anonymous: Principal = { actor: '', authenticated: false, admin: false };

export interface FakeSession {
  readonly request: OpenSession;
  readonly received: Uint8Array[];
  drains: number;
  disconnects: number;
}

export class FakeNode implements NodeApi {
  readonly sessions: FakeSession[] = [];
  readonly published: { principal: Principal; hub: string; messages: PublishMessage[] }[] = [];
  readonly queries: LogQuery[] = [];
  historyRequest: HistoryMessage | undefined;
  /** In `default/chat`. */
  members: Member[] = [];
  /** Entries of the log `default/chat`. */
  entries: Entry[] = [];
  refusePublish: Failure | undefined;
  refuseSession: Failure | undefined;
  state: NodeStatus['state'] = 'serving';
  /** Called when a session is opened, before its handle is returned. */
  onOpen: ((session: FakeSession) => void) | undefined;
  onReceive: ((session: FakeSession, text: string) => void) | undefined;
  #waiting: (() => void)[] = [];

  authenticate(token: string | undefined): Result<Principal, Failure> {
    if (token === undefined) return ok(anonymous);
    if (token === adminToken) return ok({ actor: '$admin', authenticated: true, admin: true });
    if (token === userToken) return ok({ actor: 'ada', authenticated: true, admin: false });
    return err(failure('UNAUTHENTICATED'));
  }

  async enter(hub: string, token: string | undefined): Promise<Result<Principal, Failure>> {
    return token === hubToken
      ? ok({ actor: 'ben', authenticated: true, admin: false, hub: hub as HubName })
      : this.authenticate(token);
  }

  readonly counted: { principal: Principal; hub: string }[] = [];
  refuseCount: Failure | undefined;

  count(principal: Principal, hub: string): Failure | undefined {
    this.counted.push({ principal, hub });
    return this.refuseCount;
  }

  readonly tickets = new Map<string, { principal: Principal; hub: string; origin: string | undefined }>();

  async ticket(principal: Principal, hub: string, origin: string | undefined) {
    const ticket = `ticket-${this.tickets.size}`;
    this.tickets.set(ticket, { principal, hub, origin });
    return ok(ticket);
  }

  async redeem(hub: string, ticket: string, origin: string | undefined): Promise<Result<Principal, Failure>> {
    const found = this.tickets.get(ticket);
    return found?.hub === hub && found.origin === origin
      ? ok(found.principal)
      : err(failure('UNAUTHENTICATED'));
  }

  readonly asked: { principal: Principal; hub: string; action: string; request: object; remote: string }[] =
    [];

  async people(principal: Principal, hub: string, action: string, request: object, remote: string) {
    this.asked.push({ principal, hub, action, request, remote });
    return ok({ name: 'ada' });
  }

  readonly called: { principal: Principal; hub: string; message: RpcMessage }[] = [];
  callAnswer: Promise<Result<RpcAnswer, Failure>> = Promise.resolve(ok({ payload: new Uint8Array() }));
  callsCancelled = 0;

  call(principal: Principal, hub: string, message: RpcMessage): Call {
    this.called.push({ principal, hub, message });
    return { answer: this.callAnswer, cancel: () => void this.callsCancelled++ };
  }

  readonly changes: { hub: string; change: Change; actor: string }[] = [];
  settingsDocument: SettingsDocument = {};

  async createHub(hub: string): Promise<Result<boolean, Failure>> {
    return ok(hub !== 'default');
  }

  async settings(hub: string): Promise<Result<SettingsDocument, Failure>> {
    return hub === 'default' ? ok(this.settingsDocument) : err(failure('HUB_NOT_FOUND'));
  }

  async changeSettings(hub: string, change: Change, actor: string): Promise<Result<void, Failure>> {
    this.changes.push({ hub, change, actor });
    return ok(undefined);
  }

  openSession(request: OpenSession): Result<SessionHandle, Failure> {
    if (this.refuseSession) return err(this.refuseSession);
    const session: FakeSession = { request, received: [], drains: 0, disconnects: 0 };
    this.sessions.push(session);
    this.onOpen?.(session);
    return ok({
      id: `session-${this.sessions.length}`,
      receive: (frame) => {
        session.received.push(frame.slice());
        this.onReceive?.(session, Buffer.from(frame).toString());
      },
      drained: () => void session.drains++,
      disconnected: () => void session.disconnects++,
    });
  }

  publish(principal: Principal, hub: string, messages: readonly PublishMessage[]) {
    this.published.push({
      principal,
      hub,
      messages: messages.map((message) => ({ ...message, content: message.content.slice() })),
    });
    const refused = this.refusePublish;
    return Promise.resolve(
      messages.map((_, i): Result<PublishAccepted, Failure> =>
        refused
          ? err(refused)
          : ok({
              dot: { writer, seq: i + 1 },
              timestamp: 4096 * (i + 1),
              level: 'quorum',
              copies: 1,
              duplicate: false,
            }),
      ),
    );
  }

  document(): ReturnType<NodeApi['document']> {
    return Promise.resolve(err(failure('NOT_FOUND')));
  }

  notifications(): ReturnType<NodeApi['notifications']> {
    return Promise.resolve(err(failure('NOT_FOUND')));
  }

  documentChanges(): ReturnType<NodeApi['documentChanges']> {
    return Promise.resolve(err(failure('NOT_FOUND')));
  }

  presence(...[, hub, channel, query]: Parameters<NodeApi['presence']>): ReturnType<NodeApi['presence']> {
    const refused = this.#noPresence(hub, channel);
    if (refused) return Promise.resolve(err(refused));
    const all = [...this.members].filter(({ session }) => session > (query.after ?? ''));
    const members = all.slice(0, query.limit ?? 1_000);
    const [count, more] = [this.members.length, members.length < all.length];
    return Promise.resolve(ok({ members, count, more }));
  }

  occupancy(...[, hub, channel]: Parameters<NodeApi['occupancy']>): ReturnType<NodeApi['occupancy']> {
    const refused = this.#noPresence(hub, channel);
    return Promise.resolve(refused ? err(refused) : ok(this.members.length));
  }

  #noPresence(hub: string, channel: string): Failure | undefined {
    return hub === 'default' && channel === 'chat' ? undefined : failure('NO_PRESENCE', { channel });
  }

  history(
    _principal: Principal,
    hub: string,
    request: HistoryMessage,
  ): Promise<Result<HistoryPage, Failure>> {
    this.historyRequest = request;
    if (hub !== 'default') return Promise.resolve(err(failure('HUB_NOT_FOUND')));
    const out = new ByteWriter();
    for (const each of this.entries) {
      const body = encodeEntry(each, chatPlace);
      out.u8(0x12);
      out.varint(body.length);
      out.raw(body);
    }
    const records = out.bytes();
    return Promise.resolve(
      ok({
        channel: request.channel,
        deliveries: [{ channel: request.channel, writer, round: 1, late: false, records }],
        gaps: [],
        cursor: cursorAt(this.entries.length),
        more: false,
      }),
    );
  }

  readonly deleted: string[] = [];

  async deleteHub(hub: string) {
    this.deleted.push(hub);
    return hub === 'default' ? ok(undefined) : err(failure('HUB_NOT_FOUND'));
  }

  async deleteChannel(principal: Principal, hub: string, channel: string) {
    if (!principal.admin) return err(failure('DENIED', { channel }));
    this.deleted.push(`${hub}/${channel}`);
    const dot = { writer: 'ab'.repeat(12) as WriterId, seq: 3 };
    return ok({ dot, timestamp: 1, level: 'quorum', copies: 1, duplicate: false } as const);
  }

  async redact(principal: Principal, hub: string, channel: string, of: Dot) {
    if (!principal.admin) return err(failure('DENIED', { channel }));
    this.deleted.push(`${hub}/${channel}/${dotText(of)}`);
    const dot = { writer: 'ab'.repeat(12) as WriterId, seq: 4 };
    return ok({ dot, timestamp: 1, level: 'quorum', copies: 1, duplicate: false } as const);
  }

  readonly trimmed: unknown[] = [];

  async trimChannel(hub: string, channel: string, keep: Keep, actor: string) {
    this.trimmed.push({ hub, channel, keep, actor });
    const dot = { writer: 'ab'.repeat(12) as WriterId, seq: 4 };
    const isLittle = 'entries' in keep && keep.entries > 100;
    return ok({
      ...(isLittle ? {} : { dot }),
      timestamp: 1,
      level: 'quorum',
      copies: 1,
      duplicate: false,
    } as const);
  }

  queryLog(hub: string, channel: string, query: LogQuery): Promise<Result<LogPage, Failure>> {
    this.queries.push(query);
    if (hub !== 'default' || channel !== 'chat') return Promise.resolve(err(failure('HUB_NOT_FOUND')));
    const from = query.since instanceof Uint8Array ? seqOf(query.since) : 0;
    const entries = this.entries.slice(from, from + (query.limit ?? 100));
    const to = from + entries.length;
    return Promise.resolve(
      ok({
        entries: entries.map((entry) => ({ entry, bytes: 100 })),
        gaps: [],
        cursor: cursorAt(to),
        more: to < this.entries.length,
      }),
    );
  }

  waitForMore(_hub: string, _channel: string, cursor: Uint8Array, waitMs: number): Promise<void> {
    if (seqOf(cursor) < this.entries.length) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(resolve, waitMs).unref();
    });
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  hubs() {
    return Promise.resolve(['default' as HubName]);
  }

  channels(hub: string, { after, limit }: { after?: string; limit: number }) {
    if (hub !== 'default') return Promise.resolve(err(failure('HUB_NOT_FOUND')));
    const names = ['a', 'b', 'chat'].filter((name) => after === undefined || name > after).slice(0, limit);
    return Promise.resolve(
      ok(
        names.map((name) => ({
          ref: { hub: 'default' as HubName, channel: name as ChannelName },
          entries: 3,
          bytes: 300,
          lastTimestamp: timestampFromUnixMs(Date.parse('2026-01-02T03:04:05.678Z')),
        })),
      ),
    );
  }

  digest(hub: string, channel: string) {
    return Promise.resolve(
      ok({
        hub: hub as HubName,
        channel: channel as ChannelName,
        entries: 2,
        digest: 'ab'.repeat(32),
        floors: [] as Dot[],
        heads: [{ writer, seq: 2 }],
      }),
    );
  }

  /** Of the own node in its ring; left out: it is alone. */
  standing: RingMemberState | 'gone' | undefined;
  /** Answers requests for a proof. */
  prove: ClusterApi['prove'] = () => Promise.resolve(err('not-serving'));

  get cluster(): ClusterApi | undefined {
    const { standing } = this;
    if (standing === undefined) return undefined;
    const node = 'f'.repeat(32) as NodeId;
    const members = standing === 'gone' ? [] : [{ node, state: standing }];
    const ring = { cluster: 'c', version: 1, digest: '', replicas: 3 as const, members };
    return { ring: () => ring, prove: this.prove } as Partial<ClusterApi> as ClusterApi;
  }

  status(): NodeStatus {
    return {
      nodeId: 'f'.repeat(32),
      storeId: 'e'.repeat(32),
      writer,
      version: '9.9.9',
      state: this.state,
      startedUnixMs: 1_700_000_000_000,
      sessions: this.sessions.length,
      subscriptions: 0,
      channelsInMemory: 0,
      diskFull: false,
      counters: { commits: 7, entriesCommitted: 42 },
    };
  }
}

export const chat = { hub: 'default' as HubName, channel: 'chat' as ChannelName };
const chatPlace = placeOf(chat, writer, 1);

export function cursorAt(seq: number): Uint8Array {
  return encodeCursor(chat, seq === 0 ? [] : [{ writer, seq }]).slice();
}

/** The last byte of the head of `cursorAt`; good below 128. */
function seqOf(cursor: Uint8Array): number {
  return cursor.length <= 9 ? 0 : cursor[5 + 12]!;
}

export function entry(seq: number, text: string, more: Partial<Entry> = {}): Entry {
  return {
    writer,
    seq,
    timestamp: timestampFromUnixMs(Date.parse('2026-01-02T03:04:05.000Z') + seq),
    round: 1,
    kind: 'publish',
    checksum: 0,
    previous: 0,
    content: { payload: utf8(text) },
    ...more,
  };
}

export interface TestGateway {
  readonly node: FakeNode;
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  asAdmin(path: string, init?: RequestInit): Promise<Response>;
}

export async function gatewayInFront(
  node: FakeNode,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const gateway = await startGateway(
    { host: '127.0.0.1', port: 0, origins: [], anonymousAllowed: true, version: '9.9.9', ...options },
    {
      api: node,
      clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
      random: seededRandom(1),
    },
  );
  const { port } = gateway.address;
  const url = `http://127.0.0.1:${port}`;
  const get = (path: string, init?: RequestInit) => fetch(`${url}${path}`, init);
  return {
    node,
    gateway,
    url,
    port,
    fetch: get,
    asAdmin: (path, init) => get(path, { ...init, headers: { authorization: `Bearer ${adminToken}` } }),
  };
}

/** A bare TCP connection that collects what it gets. */
export class RawConnection {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  #changed: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    this.socket.on('close', () => {
      this.ended = true;
      this.#wake();
    });
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  async until(condition: () => boolean, limitMs = 120_000): Promise<void> {
    const late = AbortSignal.timeout(limitMs);
    while (!condition()) {
      if (late.aborted)
        throw new Error(`did not happen in ${limitMs} ms; got ${JSON.stringify(this.text.slice(0, 500))}`);
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
        setTimeout(resolve, 20).unref();
      });
    }
  }

  /** The bytes after the head of an answer. */
  get body(): Buffer {
    const end = this.received.indexOf('\r\n\r\n');
    return end < 0 ? Buffer.alloc(0) : this.received.subarray(end + 4);
  }

  upgrade(path = '/v1/hubs/default/ws', headers: Record<string, string> = {}): void {
    const all = {
      Host: '127.0.0.1',
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  #wake(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }
}

/** A masked client frame. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string,
  options: { fin?: boolean; mask?: boolean } = {},
) {
  const { fin = true, mask = true } = options;
  const bytes = Buffer.from(payload as string);
  const head: number[] = [(fin ? 0x80 : 0) | opcode];
  const maskBit = mask ? 0x80 : 0;
  if (bytes.length < 126) head.push(maskBit | bytes.length);
  else if (bytes.length < 65_536) head.push(maskBit | 126, bytes.length >> 8, bytes.length & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    head.push(maskBit | 127, ...length);
  }
  if (!mask) return Buffer.concat([Buffer.from(head), bytes]);
  const key = [1, 2, 3, 4];
  return Buffer.concat([Buffer.from([...head, ...key]), bytes.map((byte, i) => byte ^ key[i % 4]!)]);
}

/** Code and reason of the first close frame in what a server sent, after whole frames. */
export function closeFrameIn(bytes: Buffer): { code: number; reason: string } | undefined {
  for (const { opcode, payload } of serverFrames(bytes)) {
    if (opcode === 8) return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }
  return undefined;
}

export function serverFrames(bytes: Buffer): { opcode: number; payload: Buffer }[] {
  const frames: { opcode: number; payload: Buffer }[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const opcode = bytes[at]! & 15;
    let length = bytes[at + 1]! & 127;
    let start = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    if (start + length > bytes.length) break;
    frames.push({ opcode, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
