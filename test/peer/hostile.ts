/** HTTP/2 by hand (RFC 9113, RFC 7541 without its compression): what no library would send. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeId } from '../../src/base/ids.js';
import { encodeHello } from '../../src/peer/hello.js';
import type { Security } from '../../src/peer/security.js';

export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  more: 9,
} as const;
export const endHeaders = 4;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A field of a header block, literal and not remembered. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

function text(value: string): Buffer {
  const length: number[] = [Math.min(value.length, 127)];
  let rest = value.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  if (value.length >= 127) length.push(rest);
  return Buffer.concat([Buffer.from(length), Buffer.from(value)]);
}

/** Of a message of gRPC: whether it is compressed, and its length. */
export function prefix(length: number, isCompressed = false): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = isCompressed ? 1 : 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** A member, with a good certificate, that speaks HTTP/2 as it likes. */
export class Hostile {
  /** Frames that came, by type, with the code of those that have one. */
  readonly seen = new Map<string, number>();
  #socket: Socket;
  #isClosed = false;
  #waiting: Buffer = Buffer.alloc(0);

  static async connect(port: number, node: NodeId, security: Security): Promise<Hostile> {
    if (security.kind === 'plain') throw new Error('a member proves who it is');
    const { authority: ca, certificate: cert, key } = security.certificates;
    const options = { ca, cert, key, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined };
    const socket = connectTls({ port, host: '127.0.0.1', ...options });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('secureConnect', () => resolve());
    });
    return new Hostile(socket, node);
  }

  private constructor(
    socket: Socket,
    readonly node: NodeId,
  ) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => (this.#isClosed = true));
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(frameTypes.settings, 0, 0, new Uint8Array(0)));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a frame of that name came, such as `goAway 11` or `reset 7`. */
  has(name: string): boolean {
    return [...this.seen.keys()].some((each) => each === name || each.startsWith(`${name} `));
  }

  /** Header block of a call, as nodes make them. */
  callOf(method: string, more: readonly Buffer[] = []): Buffer {
    const { node } = this;
    const address = { address: '127.0.0.1:1', pulsePort: 0 };
    const own = { cluster: 'test', node, boot: '0'.repeat(16), oldest: 1, newest: 1, ...address };
    return Buffer.concat([
      field(':method', 'POST'),
      field(':scheme', 'http'),
      field(':path', method),
      field(':authority', 'peer.ringlog.internal'),
      field('content-type', 'application/grpc'),
      field('te', 'trailers'),
      field('ringlog-hello-bin', Buffer.from(encodeHello(own)).toString('base64')),
      ...more,
    ]);
  }

  /** False once the connection is gone. Waits until the network takes it, but not for long: who ends a connection reads no more. */
  async write(...bytes: readonly Uint8Array[]): Promise<boolean> {
    if (this.#isClosed) return false;
    if (this.#socket.write(Buffer.concat(bytes))) return true;
    const over = new AbortController();
    const { signal } = over;
    const ends = ['drain', 'close'].map((event) => once(this.#socket, event, { signal }));
    await Promise.race([...ends, pause(2_000, undefined, { signal })]).catch(() => undefined);
    over.abort();
    await Promise.allSettled(ends);
    return !this.#isClosed;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    for (;;) {
      const head = this.#waiting;
      const end = head.length < 9 ? Infinity : 9 + head.readUIntBE(0, 3);
      if (head.length < end) return;
      const type = Object.entries(frameTypes).find(([, number]) => number === head[3])?.[0] ?? 'other';
      const code = type === 'reset' ? head.readUInt32BE(9) : type === 'goAway' ? head.readUInt32BE(13) : '';
      const name = `${type} ${code}`.trim();
      this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
      this.#waiting = head.subarray(end);
    }
  }
}
