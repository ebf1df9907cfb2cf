/** A document as one holder sees it, whose client is told what to hear and whose questions are answered by hand. */
import type { Dot, WriterId } from '../../src/base/ids.js';
import type { Client } from '../../src/client/client.js';
import { DocumentSnapshot, type PatchOperation } from '../../src/client/documents.js';
import type { Message } from '../../src/client/message.js';
import type { Published } from '../../src/client/published.js';
import type { GapNotice } from '../../src/client/reading.js';
import { SharedDocument } from '../../src/client/shared-document.js';
import type { SharedDocumentOptions } from '../../src/client/shared-document-options.js';
import type { Entry } from '../../src/log/entry.js';

export const writer = 'a'.repeat(24) as WriterId;

const utf8 = (text: string) => new TextEncoder().encode(text);

interface Fetched {
  readonly at: string | undefined;
  resolve(state: DocumentSnapshot): void;
  reject(error: unknown): void;
}

interface Sent {
  readonly key: string;
  readonly operations: readonly PatchOperation[];
  readonly ifVersion: number | undefined;
  acked(dot: Dot, level?: Published['level']): void;
  refused(error: unknown): void;
}

interface Looked {
  /** What the page must include, and from where on it is asked for. */
  readonly asked: string;
  resolve(page: {
    readonly gaps?: readonly Partial<GapNotice>[];
    readonly keys?: readonly string[];
    readonly messages?: readonly Message[];
  }): void;
  reject(error: unknown): void;
}

export const noGap = { ranges: [] };

/** A client whose one subscription is told what to hear, and whose questions are answered by hand. */
export function setUp(options: SharedDocumentOptions<number[]> = {}) {
  const listeners = new Map<string, ((event: never) => void)[]>();
  const fetches: Fetched[] = [];
  const sent: Sent[] = [];
  const looks: Looked[] = [];
  const starts: unknown[] = [];
  /** Nobody listens yet. */
  const kept: Message[] = [];
  /** What is to be done later. */
  const timers = new Set<() => void>();
  let keys = 0;
  const subscription = {
    channel: 'doc:list',
    cursor: 'start',
    state: 'live',
    on: (name: string, listener: (event: never) => void) => {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
      if (name === 'entry') for (const entry of kept.splice(0)) listener(entry as never);
    },
    close: () => {
      subscription.state = 'closed';
      hear('closed');
    },
  };
  const client = {
    subscribe: (_: string, how?: { start?: unknown }) => {
      starts.push(how?.start);
      return subscription;
    },
    document: (_: string, { at }: { at?: string }) =>
      new Promise((resolve, reject) => fetches.push({ at, resolve, reject })),
    patch: (
      _: string,
      operations: readonly PatchOperation[],
      { idempotencyKey: key, ifVersion }: { idempotencyKey: string; ifVersion?: number },
    ) =>
      new Promise((resolve, reject) =>
        sent.push({
          key,
          operations,
          ifVersion,
          acked: (dot, level = 'quorum') => resolve({ dot, level }),
          refused: reject,
        }),
      ),
    history: (_: string, query: { including?: { id: string }; cursor?: string }) => {
      const history = {
        more: true,
        page: () =>
          new Promise((resolve, reject) =>
            looks.push({
              asked: `${query.including?.id.slice(-1) ?? 'all'} ${query.cursor ?? 'newest'}`,
              resolve: ({ gaps = [], keys = [], messages = [] }) => {
                history.more = false;
                resolve({
                  gaps,
                  entries: [...keys.map((key) => message(0, '0', key)), ...messages],
                });
              },
              reject,
            }),
          ),
      };
      return history;
    },
    publisherId: 'ada',
    letGo: () => undefined,
    newKey: () => `key ${++keys}`,
    platform: {
      after: (_: number, callback: () => void) => {
        timers.add(callback);
        return () => timers.delete(callback);
      },
      soon: (callback: () => void) => void setImmediate(callback),
    },
    report: (error: unknown) => {
      throw error instanceof Error ? error : new Error(String(error));
    },
  };
  const hear = (name: string, event: object = {}): void => {
    for (const listener of listeners.get(name) ?? []) listener(event as never);
  };
  /** Appends to the list of the document, or what else it is. */
  const add = (value: number, writer = '0', idempotencyKey?: string, more: MessageFacts = {}): void => {
    subscription.cursor = `behind ${value}`;
    const entry = message(value, writer, idempotencyKey, more);
    if (listeners.has('entry')) hear('entry', entry);
    else kept.push(entry);
  };
  const opened = SharedDocument.open(client as unknown as Client, 'doc:list', options);
  if (options.at === undefined) hear('subscribed', { cursor: 'start', resumed: false });
  const timePasses = (): void => {
    const due = [...timers];
    timers.clear();
    for (const callback of due) callback();
  };
  return { opened, subscription, starts, fetches, hear, add, sent, looks, timers, timePasses };
}

interface MessageFacts {
  readonly late?: boolean;
  readonly operations?: readonly PatchOperation[];
  readonly createParents?: boolean;
}

export function message(
  value: number,
  writer = '0',
  idempotencyKey?: string,
  { late = false, operations = [{ op: 'add', path: '/-', value }], createParents }: MessageFacts = {},
): Message {
  const entry = {
    writer: writer.repeat(24) as WriterId,
    seq: value,
    timestamp: value,
    round: 1,
    kind: 'patch',
    checksum: 0,
    previous: 0,
    content: { payload: utf8(JSON.stringify(operations)) },
    publisher: { id: 'ada', epoch: 1, seq: 1 },
    createParents,
  } as Entry;
  const dot = { writer: entry.writer, seq: value };
  return { kind: 'patch', late, idempotencyKey, entry, dot, timestamp: value } as unknown as Message;
}

/** Each value by a change of its own. */
export function list(...values: number[]): DocumentSnapshot {
  return listAt(values.length, 0, ...values);
}

export function listAt(version: number, voids: number, ...values: unknown[]): DocumentSnapshot {
  return listBy({}, version, voids, ...values);
}

/** Where the rules of the channel are these. */
export function listBy(
  rules: { readonly createParents?: boolean },
  version: number,
  voids: number,
  ...values: unknown[]
): DocumentSnapshot {
  const info = { version, voids, hash: new Uint8Array(32), size: 0, ...rules };
  return new DocumentSnapshot({
    channel: 'doc:list',
    info,
    value: utf8(JSON.stringify(values)),
    cursor: new Uint8Array(0),
  });
}

export const turn = () => new Promise((resolve) => setImmediate(resolve));
