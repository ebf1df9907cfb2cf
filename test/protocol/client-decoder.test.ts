/** What a server makes of frames that are not as they should be. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { decodeContent } from '../../src/log/entry-wire.js';
import { decodeClientFrame, encodeClientFrame } from '../../src/protocol/index.js';
import type { OutgoingMessage, ReceivedEnvelope } from '../../src/protocol/messages.js';

const json = (value: unknown): Uint8Array => utf8(typeof value === 'string' ? value : JSON.stringify(value));

function envelopes(encoding: 'protobuf' | 'json', bytes: Uint8Array): readonly ReceivedEnvelope[] {
  const decoded = decodeClientFrame(encoding, bytes);
  if (!decoded.ok) throw new Error(decoded.error.code);
  return decoded.value;
}

const only = (value: unknown): ReceivedEnvelope => envelopes('json', json(value))[0]!;
const codeOf = (envelope: ReceivedEnvelope | undefined): string | undefined =>
  envelope && 'error' in envelope ? envelope.error.code : undefined;
const frameCode = (encoding: 'protobuf' | 'json', bytes: Uint8Array): string | undefined => {
  const decoded = decodeClientFrame(encoding, bytes);
  return decoded.ok ? undefined : decoded.error.code;
};

function publish(members: Partial<OutgoingMessage & { type: 'publish' }> = {}): OutgoingMessage {
  return { type: 'publish', channel: 'lobby', content: { payload: utf8('hello') }, ...members };
}

/** The payload as text and the type of a publish in JSON. */
function payloadOf(members: string): { text: string; contentType: string | undefined } {
  const [envelope] = envelopes('json', utf8(`{"publish":{"channel":"lobby",${members}}}`));
  if (!envelope || !('message' in envelope) || envelope.message.type !== 'publish')
    throw new Error('no publish');
  const content = decodeContent(envelope.message.content);
  if (!content.ok) throw new Error(content.error);
  return { text: Buffer.from(content.value.payload).toString(), contentType: content.value.contentType };
}

describe('one bad envelope', () => {
  const good = { requestId: 1, publish: { channel: 'lobby', data: 'hello' } };

  test.each([
    ['of an unknown type', { requestId: 2, shout: {} }, 'UNKNOWN_MESSAGE'],
    ['without a message', { requestId: 2 }, 'UNKNOWN_MESSAGE'],
    ['with a wrong type', { requestId: 2, publish: { channel: 7 } }, 'INVALID'],
    ['that is no object', { requestId: 2, publish: [] }, 'INVALID'],
    ['with a fraction', { requestId: 2, publish: { channel: 'a', publisherSeq: 1.5 } }, 'INVALID'],
    ['with a number above 2^53', { requestId: 2, publish: { channel: 'a', publisherSeq: 1e16 } }, 'INVALID'],
    ['with bad base64', { requestId: 2, publish: { channel: 'a', dataBase64: '$' } }, 'INVALID'],
    ['with two payloads', { requestId: 2, publish: { channel: 'a', data: '', dataBase64: '' } }, 'INVALID'],
    ['with half a character', { requestId: 2, publish: { channel: 'a', data: '\ud800' } }, 'INVALID'],
    ['with an unknown level', { requestId: 2, publish: { channel: 'a', level: 'all' } }, 'INVALID'],
    ['with a long event', { requestId: 2, publish: { channel: 'a', event: 'e'.repeat(129) } }, 'INVALID'],
    [
      'with a long key',
      { requestId: 2, publish: { channel: 'a', idempotencyKey: 'é'.repeat(65) } },
      'INVALID',
    ],
    [
      'with a header that is no text',
      { requestId: 2, publish: { channel: 'a', headers: { a: 1 } } },
      'INVALID',
    ],
    [
      'attack 14: with a long cursor',
      { requestId: 2, history: { channel: 'a', cursor: 'A'.repeat(3000) } },
      'INVALID',
    ],
    ['with a list of names', { requestId: 2, subscribe: { channels: ['a'] } }, 'INVALID'],
    [
      'that is too large',
      { requestId: 2, publish: { channel: 'a', data: 'x'.repeat(1_048_576) } },
      'TOO_LARGE',
    ],
    [
      'with too many channels',
      { requestId: 2, unsubscribe: { channels: Array.from({ length: 4097 }, () => 'a') } },
      'TOO_MANY',
    ],
  ])('%s is refused alone', (_, bad, code) => {
    const all = envelopes('json', json([good, bad, good]));
    expect(all.map(codeOf)).toEqual([undefined, code, undefined]);
    expect(all[1]?.requestId).toBe(2);
  });

  test('in protobuf is refused alone', () => {
    const frame = encodeClientFrame('protobuf', [
      { requestId: 1, message: publish() },
      { requestId: 2, message: publish({ idempotencyKey: 'k'.repeat(129) }) },
      { requestId: 3, message: publish({ content: { payload: new Uint8Array(limits.messageBytesMax) } }) },
      { requestId: 4, message: publish({ content: { payload: utf8(''), event: 'e'.repeat(129) } }) },
      { requestId: 5, message: publish() },
    ]);
    const all = envelopes('protobuf', frame);
    expect(all.map(({ requestId }) => requestId)).toEqual([1, 2, 3, 4, 5]);
    expect(all.map(codeOf)).toEqual([undefined, 'INVALID', 'TOO_LARGE', 'INVALID', undefined]);
  });

  test('with text that is not UTF-8 is refused alone', () => {
    const frame = encodeClientFrame('protobuf', [
      { requestId: 1, message: publish({ content: { payload: utf8('x'), event: 'eeee' } }) },
      { requestId: 2, message: publish({ channel: 'oooo' }) },
      { requestId: 3, message: publish() },
    ]);
    for (let i = 0; i < frame.length; i++) {
      if (frame[i] === 101 && frame[i + 3] === 101) frame[i] = 0xff;
      if (frame[i] === 111 && frame[i + 3] === 111) frame[i] = 0xff;
    }
    expect(envelopes('protobuf', frame).map(codeOf)).toEqual(['INVALID', 'INVALID', undefined]);
  });
});

describe('a whole frame', () => {
  test.each([
    ['text that is not JSON', utf8('{"publish":')],
    ['nothing', utf8('')],
    ['a number', utf8('7')],
    ['an envelope that is no object', utf8('[{"ping":{}},7]')],
    ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['attack 11: nesting beyond the limit', utf8(`{"publish":{"data":${'['.repeat(64)}${']'.repeat(64)}}}`)],
    ['attack 11: nesting that would overflow the stack', utf8('['.repeat(1_000_000))],
  ])('of %s fails', (_, bytes) => {
    expect(frameCode('json', bytes)).toBe('BAD_FRAME');
  });

  test.each([
    ['a truncated envelope', Uint8Array.of(0x0a, 0x05, 0x08)],
    ['a truncated message', Uint8Array.of(0x0a, 0x02, 0x42, 0x05)],
    ['a field number 0', Uint8Array.of(0x0a, 0x02, 0x00, 0x00)],
    ['a group', Uint8Array.of(0x0a, 0x02, 0x0b, 0x0c)],
    ['attack 10: a number without an end', new Uint8Array(20).fill(0xff)],
    ['a request id of 33 bits', Uint8Array.of(0x0a, 0x08, 0x08, 0x80, 0x80, 0x80, 0x80, 0x10, 0x1a, 0x00)],
  ])('of protobuf with %s fails', (_, bytes) => {
    expect(frameCode('protobuf', bytes)).toBe('BAD_FRAME');
  });

  test('above the limit of bytes or of envelopes is refused with the close code for it', () => {
    expect(frameCode('protobuf', new Uint8Array(limits.frameBytesMax + 1))).toBe('FRAME_TOO_LARGE');
    const pings = Array.from({ length: limits.envelopesPerFrameMax + 1 }, () => ({
      requestId: 0,
      message: { type: 'ping' as const },
    }));
    expect(frameCode('protobuf', encodeClientFrame('protobuf', pings))).toBe('FRAME_TOO_LARGE');
    expect(frameCode('json', encodeClientFrame('json', pings))).toBe('FRAME_TOO_LARGE');
    expect(envelopes('json', encodeClientFrame('json', pings.slice(1)))).toHaveLength(
      limits.envelopesPerFrameMax,
    );
  });

  test('of no envelope at all is empty', () => {
    expect(envelopes('protobuf', new Uint8Array(0))).toEqual([]);
    expect(envelopes('json', utf8('[]'))).toEqual([]);
  });
});

describe('the JSON form of a payload', () => {
  test('a string without a type is text', () => {
    expect(payloadOf('"data":"héllo"')).toEqual({ text: 'héllo', contentType: undefined });
  });

  test('a byte order mark is part of the text', () => {
    expect(payloadOf('"data":"\uFEFFx"').text).toBe('\uFEFFx');
  });

  test('any other value is JSON, compact, its numbers as they were written', () => {
    expect(payloadOf('"data": { "id": 9007199254740993, "x": [1.10, -0, 1e400 ], "s": " a \\" }" }')).toEqual(
      {
        text: '{"id":9007199254740993,"x":[1.10,-0,1e400],"s":" a \\" }"}',
        contentType: 'application/json',
      },
    );
    expect(payloadOf('"data":null')).toEqual({ text: 'null', contentType: 'application/json' });
    expect(payloadOf('"data": 7 ')).toEqual({ text: '7', contentType: 'application/json' });
  });

  test('a string with a JSON type is a JSON string', () => {
    expect(payloadOf('"data":"x","contentType":"application/json"').text).toBe('"x"');
    expect(payloadOf('"data":"x","contentType":"application/problem+json; charset=utf-8"').text).toBe('"x"');
  });

  test('of two members with one name the last counts, for the text as for the value', () => {
    expect(payloadOf('"data":[1],"d\\u0061ta":[2]').text).toBe('[2]');
    const [envelope] = envelopes(
      'json',
      utf8('{"publish":{"data":[1]},"publish":{"channel":"b","data":[2]}}'),
    );
    expect(envelope).toMatchObject({ message: { channel: 'b' } });
  });

  test('nothing at all is an empty payload', () => {
    expect(payloadOf('"event":"x"')).toEqual({ text: '', contentType: undefined });
  });

  test('a value that is not text needs a type that is JSON', () => {
    expect(codeOf(only({ publish: { channel: 'a', contentType: 'text/plain', data: 7 } }))).toBe('INVALID');
  });
});

test('members nobody knows are ignored, whatever they are called', () => {
  const odd = '{"requestId":1,"__proto__":{"auth":{}},"constructor":1,"ping":{"__proto__":[]},"new":[]}';
  expect(envelopes('json', utf8(odd))).toEqual([{ requestId: 1, message: { type: 'ping' } }]);
  expect(({} as Record<string, unknown>)['auth']).toBeUndefined();
});

test('a header may be called __proto__', () => {
  const frame = '{"publish":{"channel":"a","data":"","headers":{"__proto__":"x","toString":"y"}}}';
  const [envelope] = envelopes('json', utf8(frame));
  if (!envelope || !('message' in envelope) || envelope.message.type !== 'publish')
    throw new Error('no publish');
  const content = decodeContent(envelope.message.content);
  expect(content.ok && [...(content.value.headers ?? [])]).toEqual([
    ['__proto__', 'x'],
    ['toString', 'y'],
  ]);
});

test('unknown fields of a newer client are passed over', () => {
  const [known] = [encodeClientFrame('protobuf', [{ requestId: 9, message: { type: 'ping' } }])];
  // Fields 100 to 103 of all wire types, the varint beyond the safe integers.
  const unknown = [
    0xa0, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7,
    8, 0xb2, 0x06, 0x02, 0xff, 0xff, 0xbd, 0x06, 1, 2, 3, 4,
  ];
  const inner = [...known!.slice(2), ...unknown];
  const frame = Uint8Array.from([...unknown, 0x0a, inner.length, ...inner]);
  expect(envelopes('protobuf', frame)).toEqual([{ requestId: 9, message: { type: 'ping' } }]);
});

test('the content of a publish is a view of the frame', () => {
  const frame = encodeClientFrame('protobuf', [{ requestId: 1, message: publish() }]);
  const [envelope] = envelopes('protobuf', frame);
  if (!envelope || !('message' in envelope) || envelope.message.type !== 'publish')
    throw new Error('no publish');
  expect(envelope.message.content.buffer).toBe(frame.buffer);
});
