import type { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as library from 'ws';
import { FrameCutter } from '../../src/gateway/frame-cutter.js';

const payloadBytesMax = 4_096;

interface Frame {
  readonly final: boolean;
  readonly opcode: number;
  readonly reserved: number;
  readonly masked: boolean;
  readonly payload: Uint8Array;
}

function encode({ final, opcode, reserved, masked, payload }: Frame): Buffer {
  const { length } = payload;
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const head = Buffer.alloc(size);
  head[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (size === 4) head.writeUInt16BE(length, 2);
  if (size === 10) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = Buffer.from([0x11, 0x8f, 0x02, 0xc7]);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

type Heard = readonly [what: string, detail: string | undefined];

/** Exported by ws, and not by its types. */
const { Receiver } = library as unknown as { Receiver: new (options: object) => Duplex };

/** A receiver as `ws` makes it for a server, and what it says. */
function receiver(heard: Heard[]): { write(bytes: Buffer): void; ended: () => boolean } {
  const made = new Receiver({ isServer: true, maxPayload: payloadBytesMax, allowSynchronousEvents: true });
  let ended = false;
  made.on('message', (data: Buffer) => heard.push(['message', data.toString('hex')]));
  made.on('ping', (data: Buffer) => heard.push(['ping', data.toString('hex')]));
  made.on('pong', (data: Buffer) => heard.push(['pong', data.toString('hex')]));
  made.on('conclude', (code: number) => {
    ended = true;
    heard.push(['close', String(code)]);
  });
  made.on('error', (error: Error & { code?: string }) => {
    ended = true;
    heard.push(['error', error.code]);
  });
  return { write: (bytes) => void made.write(bytes), ended: () => ended };
}

/** What a connection hears of these reads: through the cutter, or from `ws` alone. */
async function heardOf(
  reads: readonly Buffer[],
  withCutter: boolean,
): Promise<{ heard: Heard[]; cut: number }> {
  const heard: Heard[] = [];
  const ws = receiver(heard);
  let cut = 0;
  const cutter = new FrameCutter(
    {
      cut(payload) {
        cut++;
        heard.push(['message', payload.toString('hex')]);
      },
      pass: (bytes) => ws.write(bytes),
    },
    payloadBytesMax,
  );
  for (const read of reads) {
    const copy = Buffer.from(read);
    if (withCutter) cutter.push(copy);
    else if (!ws.ended()) ws.write(copy);
    // An error is told before the next read; the session then ends the cutter, as `ws` alone stops listening.
    await new Promise((resolve) => setImmediate(resolve));
    if (ws.ended()) cutter.end();
  }
  return { heard, cut };
}

const frame = fc.record({
  final: fc.boolean(),
  opcode: fc.constantFrom(0, 1, 2, 2, 2, 2, 8, 9, 10, 3),
  reserved: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 4),
  masked: fc.constantFrom(true, true, true, true, true, true, true, true, true, false),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 140 }),
    fc.constantFrom(125, 126, 127, 4_096, 4_097, 66_000).map((length) => new Uint8Array(length).fill(97)),
  ),
});
const usual = fc
  .uint8Array({ maxLength: 300 })
  .map((payload): Frame => ({ final: true, opcode: 2, reserved: 0, masked: true, payload }));

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((place, i) => bytes.subarray(place, places[i] ?? bytes.length));
}

test('a connection hears the same with the cutter as from ws alone, whatever comes in whatever reads', async () => {
  const frames = fc.array(fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: frame }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(frames, fc.array(fc.nat(80_000), { maxLength: 20 }), async (sent, cuts) => {
      const reads = split(Buffer.concat(sent.map(encode)), cuts);
      const [alone, together] = [await heardOf(reads, false), await heardOf(reads, true)];
      expect(together.heard).toEqual(alone.heard);
    }),
    { numRuns: 1_000 },
  );
});

test('whole binary messages do not reach ws at all', async () => {
  const sent = Buffer.concat(
    Array.from({ length: 50 }, (_, i) =>
      encode({ final: true, opcode: 2, reserved: 0, masked: true, payload: new Uint8Array(i * 7).fill(i) }),
    ),
  );
  const { heard, cut } = await heardOf([sent], true);
  expect(heard).toHaveLength(50);
  expect(cut).toBe(50);
});

test('a message in single bytes is left to ws and arrives whole', async () => {
  const sent = encode({
    final: true,
    opcode: 2,
    reserved: 0,
    masked: true,
    payload: new Uint8Array(200).fill(7),
  });
  const { heard, cut } = await heardOf(
    split(
      sent,
      Array.from(sent, (_, i) => i),
    ),
    true,
  );
  expect(heard).toEqual([['message', '07'.repeat(200)]]);
  expect(cut).toBe(0);
});
