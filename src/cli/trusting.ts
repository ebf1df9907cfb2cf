/** Connections to nodes whose certificates nobody but the caller vouches for: `fetch` and the global WebSocket take none. */
import { request } from 'node:https';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { WebSocket } from 'ws';
import type { ConnectOptions } from '../client/index.js';

export interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** As `fetch`; only certificates of `ca` are trusted. */
export function fetchTrusting(ca: string, url: string, asked: Asked): Promise<Response> {
  const { method, headers, body, signal } = asked;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca, method, headers, signal }, (incoming) => {
      const { statusCode: status = 502, headers: found } = incoming;
      const answered = new Headers();
      for (const [name, value] of Object.entries(found))
        for (const each of [value ?? []].flat()) answered.append(name, each);
      const hasBody = status !== 204 && status !== 304;
      const stream = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
      resolve(new Response(hasBody ? (stream as unknown as BodyInit) : null, { status, headers: answered }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export function webSocketTrusting(ca: string): NonNullable<ConnectOptions['webSocket']> {
  return class extends WebSocket {
    constructor(url: string, subprotocols: string[]) {
      super(url, subprotocols, { ca });
    }
  } as unknown as NonNullable<ConnectOptions['webSocket']>;
}

/** What is wrong with a certificate; `undefined` where something else went wrong. */
export function certificateCode(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  const found = cause?.code ?? code;
  return found !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(found) ? found : undefined;
}
