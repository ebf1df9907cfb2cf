import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import { type SignedMessage, signedBytes } from '../../src/protocol/signed-message.js';

const message: SignedMessage = {
  hub: 'acme',
  channel: 'ledger',
  user: 'ada',
  publicKey: 'AAAA',
  idempotencyKey: 'k1',
  content: {
    event: 'paid',
    contentType: 'application/json',
    headers: new Map([
      ['b', '2'],
      ['a', 'ä'],
    ]),
    payload: utf8('{"amount":5}'),
  },
};

test('what is signed is written down part by part: as in docs/people.md', () => {
  expect(utf8Text(signedBytes(message))).toBe(
    '18:ringlog message v1,4:acme,6:ledger,3:ada,4:AAAA,2:k1,7:publish,4:paid,16:application/json,' +
      '12:{"amount":5},1:a,2:ä,1:b,1:2,',
  );
});

test('no two messages have the same bytes to sign', () => {
  const text = fc.stringMatching(/^[a:,0-9]{0,3}$/);
  const any = fc.record({
    hub: text,
    channel: text,
    user: text,
    publicKey: text,
    idempotencyKey: text,
    kind: fc.constantFrom(undefined, 'patch' as const),
    content: fc.record({
      event: text,
      contentType: text,
      headers: fc.array(fc.tuple(text, text), { maxLength: 2 }).map((list) => new Map(list)),
      payload: text.map(utf8),
    }),
  });
  const plain = ({ content, ...rest }: SignedMessage) =>
    JSON.stringify([
      ...Object.values({ ...rest, kind: rest.kind ?? 'publish' }),
      content.event,
      content.contentType,
      utf8Text(content.payload),
      [...content.headers!].map(([name, value]) => JSON.stringify([name, value])).sort(),
    ]);
  fc.assert(
    fc.property(any, any, (one, other) => {
      expect(utf8Text(signedBytes(one)) === utf8Text(signedBytes(other))).toBe(plain(one) === plain(other));
    }),
    { numRuns: 2_000 },
  );
});
