import { type Server, type Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Latencies } from '../../src/cli/bench/latencies.js';
import { LoadSocket } from '../../src/cli/bench/load-socket.js';
import { PreparedFrames, maskedFrame } from '../../src/cli/bench/prepared-frames.js';
import { RinglogListener, RinglogSpeaker } from '../../src/cli/bench/ringlog-conversation.js';
import type { WriterId } from '../../src/base/ids.js';
import { encodeEntry, placeOf } from '../../src/log/entry-wire.js';
import type { ServerMessage } from '../../src/protocol/messages.js';
import { encodeDeliveryFrame, encodeServerFrame } from '../../src/protocol/server-encoder.js';

const target = { url: 'http://127.0.0.1:1', hub: 'default' };
const writer = '000000000000000000000001' as WriterId;
const nothing = () => {};

function delivery(...seqs: readonly number[]): Buffer {
  const place = placeOf({ hub: 'default', channel: 'a' } as never, writer, 1);
  const records = seqs.map((seq) => {
    const fields = {
      writer,
      seq,
      timestamp: seq,
      round: 1,
      kind: 'publish',
      checksum: 0,
      previous: 0,
    } as const;
    const entry = encodeEntry({ ...fields, content: { payload: Buffer.from('x') } }, place);
    return Buffer.concat([Buffer.from([0x12, entry.length]), entry]);
  });
  return Buffer.from(
    encodeDeliveryFrame('protobuf', {
      channel: 'a',
      writer,
      round: 1,
      late: false,
      records: Buffer.concat(records),
    }),
  );
}

const ack = (requestId: number, count: number): Buffer =>
  Buffer.from(
    encodeServerFrame('protobuf', [
      {
        requestId,
        message: {
          type: 'ack',
          dot: { writer, seq: requestId },
          timestamp: 1,
          level: 'quorum',
          copies: 1,
          count,
          duplicate: false,
        } satisfies ServerMessage,
      },
    ]),
  );

const taken = (to: RinglogListener | RinglogSpeaker, frame: Buffer) =>
  to.take(frame, 0, frame.length, nothing);

describe('a listener of the load', () => {
  test('counts the entries of a delivery', () => {
    const listener = new RinglogListener(target, ['a']);
    expect(taken(listener, delivery(5, 6, 7))).toBe(3);
    expect(taken(listener, delivery(8))).toBe(1);
  });

  test('refuses an entry that is missing or comes twice, between deliveries and in one', () => {
    for (const second of [delivery(9), delivery(7), delivery(8, 10)]) {
      const listener = new RinglogListener(target, ['a']);
      taken(listener, delivery(5, 6, 7));
      expect(() => taken(listener, second)).toThrow(/due|ends at/);
    }
  });
});

describe('a speaker of the load', () => {
  const speaker = () =>
    new RinglogSpeaker(target, { channels: ['a'], publishesPerFrame: 1, payloadBytes: 8, inFlight: 4 });

  test('counts what a range of acks answers', () => {
    const one = speaker();
    expect(taken(one, ack(1, 3))).toBe(3);
    expect(taken(one, ack(4, 1))).toBe(1);
    expect(one.problem(4)).toBeUndefined();
  });

  test('names a publish that was not acknowledged, or twice', () => {
    const [lacking, doubled] = [speaker(), speaker()];
    taken(lacking, ack(1, 2));
    expect(lacking.problem(3)).toMatch('publish 3 of the circle was sent 1 times and acknowledged 0 times');
    taken(doubled, ack(1, 2));
    taken(doubled, ack(2, 1));
    expect(doubled.problem(2)).toMatch('publish 2 of the circle was sent 1 times and acknowledged 2 times');
  });
});

describe('prepared frames', () => {
  test('carry a mask of their own that is not zero', () => {
    const masks = Array.from({ length: 200 }, () => maskedFrame(Buffer.alloc(10)).readUInt32BE(2));
    expect(masks).not.toContain(0);
    expect(new Set(masks).size).toBeGreaterThan(190);
  });

  test('are sent in a circle, each once', () => {
    const frames = new PreparedFrames([Buffer.from('a'), Buffer.from('bc'), Buffer.from('d')]);
    const written: string[] = [];
    frames.send(1, 6, (bytes) => written.push(Buffer.from(bytes).toString()));
    expect(written.join('')).toBe('bcdabcd');
  });
});

test('percentiles of latencies are right within the width of a bucket', () => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1_000; ms++) latencies.add(ms);
  const { count, p50Ms, p99Ms, maxMs } = latencies.summary()!;
  expect(count).toBe(1_000);
  expect(p50Ms / 500).toBeCloseTo(1, 1);
  expect(p99Ms / 990).toBeCloseTo(1, 1);
  expect(maxMs).toBe(1_000);
});

describe('a connection of the load', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  /** Answers the handshake and then sends `bytes` in pieces of `pieceBytes`. */
  async function messagesOf(bytes: Buffer, pieceBytes: number): Promise<string[]> {
    const { createHash } = await import('node:crypto');
    const sendPieces = (socket: Socket, at: number): void => {
      if (at >= bytes.length) return void socket.end();
      socket.write(bytes.subarray(at, at + pieceBytes), () =>
        setImmediate(sendPieces, socket, at + pieceBytes),
      );
    };
    server = createServer({ noDelay: true }, (socket) => {
      socket.once('data', (request) => {
        const key = /Sec-WebSocket-Key: (\S+)/.exec(request.toString())![1]!;
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        sendPieces(socket, 0);
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const messages: string[] = [];
    await new Promise<void>((resolve) => {
      const { port } = server!.address() as AddressInfo;
      const socket = new LoadSocket(
        { url: `ws://127.0.0.1:${port}/` },
        {
          opened: nothing,
          message: (buffer, start, end) => messages.push(buffer.toString('latin1', start, end)),
          turn: nothing,
          failed: () => resolve(),
        },
      );
      void socket;
    });
    return messages;
  }

  test.each([1, 3, 7, 200, 70_000])(
    'puts frames together that come in pieces of %i bytes',
    async (pieceBytes) => {
      const texts = [
        '',
        'a',
        'b'.repeat(125),
        'c'.repeat(126),
        ...(pieceBytes > 100 ? ['d'.repeat(70_000)] : []),
        'e',
      ];
      const frames = texts.map((text) => {
        const { length } = text;
        const head =
          length < 126
            ? Buffer.from([0x82, length])
            : length < 65_536
              ? Buffer.from([0x82, 126, length >> 8, length & 255])
              : Buffer.from([0x82, 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255]);
        return Buffer.concat([head, Buffer.from(text)]);
      });
      expect(await messagesOf(Buffer.concat(frames), pieceBytes)).toEqual(texts);
    },
  );
});
