/** Whatever comes, the decoders answer: they never throw, never hang, and never change what every object inherits. */
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { utf8 } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
} from '../../src/protocol/index.js';
import { hub, outgoingMessage, serverMessage } from './support.js';

const cases = Number(process.env['RINGLOG_FUZZ_CASES'] ?? 100_000);
const seed = Number(process.env['RINGLOG_FUZZ_SEED'] ?? 1);
const encodings = ['protobuf', 'json'] as const;

const inheritedByAll = (): string[] => Object.keys(Object.prototype);

/** Good frames to start from. */
function corpus(encoding: (typeof encodings)[number]): Uint8Array[] {
  const requestId = fc.nat(1000);
  const clients = fc.sample(fc.array(fc.record({ requestId, message: outgoingMessage }), { maxLength: 3 }), {
    numRuns: 60,
    seed,
  });
  const servers = fc.sample(fc.array(fc.record({ requestId, message: serverMessage }), { maxLength: 3 }), {
    numRuns: 60,
    seed,
  });
  return [
    ...clients.map((frame) => encodeClientFrame(encoding, frame)),
    ...servers.map((frame) => encodeServerFrame(encoding, frame)),
  ];
}

const pieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\\u',
  '0',
  '-',
  '1e999',
  'null',
  'true',
  '"__proto__"',
  '"constructor"',
  '"publish"',
  '"data"',
  '"requestId"',
  '"entries"',
  '\u0000',
  '\uFEFF',
  '9007199254740993',
].map(utf8);

function mutate(frame: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor(random() * (frame.length + 1));
  const kind = Math.floor(random() * 5);
  const copy = [...frame];
  if (kind === 0) return frame.slice(0, at);
  if (kind === 1) copy.splice(at, Math.floor(random() * 8));
  else if (kind === 2) copy.splice(at, 0, ...pieces[Math.floor(random() * pieces.length)]!);
  else if (kind === 3)
    copy.splice(
      at,
      0,
      ...Array.from({ length: 12 }, () => (random() < 0.5 ? 0xff : Math.floor(random() * 256))),
    );
  else copy[at] = Math.floor(random() * 256);
  return Uint8Array.from(copy);
}

function decodeAll(encoding: (typeof encodings)[number], frame: Uint8Array): void {
  const client = decodeClientFrame(encoding, frame);
  const server = decodeServerFrame(encoding, frame, hub);
  if (typeof client.ok !== 'boolean' || typeof server.ok !== 'boolean') throw new Error('no answer');
}

test.each(encodings)('attack 10: mutated frames in %s are answered', (encoding) => {
  const random = seededRandom(seed);
  const next = (): number => random.next();
  const frames = corpus(encoding);
  for (let i = 0; i < cases / 2; i++) {
    const slot = Math.floor(next() * frames.length);
    const frame = mutate(frames[slot]!, next);
    // Some mutations are kept, so that they add up.
    if (next() < 0.2 && frame.length < 4096) frames[slot] = frame;
    decodeAll(encoding, frame);
  }
  expect(inheritedByAll()).toEqual([]);
});

test.each(encodings)('attack 10: random bytes in %s are answered', (encoding) => {
  const random = seededRandom(seed + 1);
  for (let i = 0; i < cases / 4; i++) decodeAll(encoding, random.bytes(Math.floor(random.next() * 64)));
  expect(inheritedByAll()).toEqual([]);
});

test('attack 10: a million unknown fields, or names, take no longer than reading them', () => {
  const fields = new Uint8Array(2_000_000).fill(0xa0);
  for (let i = 1; i < fields.length; i += 2) fields[i] = 0x06;
  const envelope = Uint8Array.from([0x0a, 0x80, 0x92, 0x7a]);
  decodeAll('protobuf', fields);
  decodeAll('protobuf', Buffer.concat([envelope, fields]));
  decodeAll('json', utf8(`{"ping":{${Array.from({ length: 150_000 }, (_, i) => `"${i}":0`).join(',')}}}`));
  decodeAll('json', utf8(`{"publish":{"channel":"a","data":[${'{},'.repeat(500_000)}0]}}`));
  expect(inheritedByAll()).toEqual([]);
});
