/** One event stream as a session's way out. It has no way in, so the gateway subscribes for it and answers its pings. */
import type { ServerResponse } from 'node:http';
import { fromBase64, utf8 } from '../base/bytes.js';
import type { OutFrame, SessionHandle, SessionSink } from '../engine/api.js';
import { JsonSource } from '../protocol/json-text.js';
import { gatewayLimits } from './gateway-limits.js';
import { onOneLine } from './log-entry-json.js';
import { type CursorMap, encodeEventId } from './sse-cursor.js';

const pong = utf8('{"pong":{}}');

export class SseSession implements SessionSink {
  readonly #response: ServerResponse;
  readonly #channels: readonly string[];
  readonly #cursors: Map<string, Uint8Array>;
  #handle: SessionHandle | undefined;
  #closed = false;
  /** Written before the head went out; the engine may do so while it opens the session. */
  #early: OutFrame[] = [];

  constructor(response: ServerResponse, channels: readonly string[], cursors: CursorMap) {
    this.#response = response;
    this.#channels = channels;
    this.#cursors = new Map(cursors);
  }

  start(handle: SessionHandle, headers: Record<string, string>): void {
    this.#handle = handle;
    const response = this.#response;
    response.on('drain', () => this.#handle?.drained());
    response.on('error', () => {});
    response.on('close', () => this.#ended());
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${gatewayLimits.sseRetryMs}\n\n`);
    this.#send(this.#early);
    this.#early = [];
    if (this.#closed) response.end();
  }

  get bufferedBytes(): number {
    return this.#response.writableLength;
  }

  write(frames: readonly OutFrame[]): void {
    if (this.#closed) return;
    if (this.#response.headersSent) this.#send(frames);
    else this.#early.push(...frames);
  }

  #send(frames: readonly OutFrame[]): void {
    let text = '';
    let isPinged = false;
    for (const frame of frames) {
      if (frame.channel !== undefined && frame.cursor) this.#cursors.set(frame.channel, frame.cursor);
      for (const envelope of envelopesOf(frame)) {
        const { name, json } = memberOf(envelope);
        if (name === 'ping') isPinged = true;
        this.#learn(name, json);
        text += name === 'ping' ? ': ping\n\n' : this.#event(name, json);
      }
    }
    // A connection that took the ping is alive; one that is stuck never calls back.
    if (text !== '') this.#response.write(text, isPinged ? () => this.#handle?.receive(pong) : undefined);
  }

  /** The engine has said why in a frame before. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle = undefined;
    if (this.#response.headersSent) this.#response.end();
  }

  #event(name: string, json: string): string {
    const id = encodeEventId(this.#channels, this.#cursors);
    const idLine = id === undefined || this.#cursors.size === 0 ? '' : `id: ${id}\n`;
    return `event: ${name}\n${idLine}data: ${onOneLine(json)}\n\n`;
  }

  /** Cursors that come in other frames than deliveries. */
  #learn(name: string, json: string): void {
    if (name === 'gap') this.#place(JSON.parse(json));
    if (name !== 'subscribe') return;
    for (const result of (JSON.parse(json) as { results: unknown[] }).results) this.#place(result);
  }

  #place(value: unknown): void {
    const { channel, cursor } = value as { channel?: string; cursor?: string };
    const bytes = cursor === undefined ? undefined : fromBase64(cursor);
    if (channel !== undefined && bytes) this.#cursors.set(channel, bytes);
  }

  #ended(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#closed = true;
    handle?.disconnected();
  }
}

/** Most frames are one envelope; its value goes on as the text it is. */
function envelopesOf({ bytes }: OutFrame): readonly string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  if (!text.startsWith('[')) return [text];
  const source = new JsonSource(text);
  const { length } = JSON.parse(text) as readonly unknown[];
  return Array.from({ length }, (_, i) => source.element(i).text);
}

/** The server's own encoder wrote it: an optional request id, then the message. */
function memberOf(envelope: string): { name: string; json: string } {
  const start = /^\{(?:"requestId":\d+,)?"([A-Za-z]+)":/.exec(envelope);
  if (!start) return { name: 'error', json: '{}' };
  return { name: start[1]!, json: envelope.slice(start[0].length, -1) };
}
