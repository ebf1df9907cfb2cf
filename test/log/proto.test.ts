/** The hand-written wire form against the definition in proto/client.proto, read by a generic decoder. */
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { fromHex } from '../../src/base/bytes.js';
import type { Dot } from '../../src/base/ids.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { entryKinds } from '../../src/log/entry.js';
import { decodeContent, encodeContent, iterateRecords } from '../../src/log/entry-wire.js';
import { contents, refs, runEntries, writers } from './arbitraries.js';

const root = await protobuf.load(fileURLToPath(new URL('../../proto/client.proto', import.meta.url)));
const Delivery = root.lookupType('ringlog.v1.Delivery');
const Content = root.lookupType('ringlog.v1.Content');
const Entry = root.lookupType('ringlog.v1.Entry');

function plain(type: protobuf.Type, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), { longs: Number, enums: Number });
}

const dot = ({ writer, seq }: Dot) => ({ writer: fromHex(writer), seq });

test('content is the message of that name', () => {
  fc.assert(
    fc.property(contents, (content) => {
      const read = plain(Content, encodeContent(content));
      expect(read['event']).toBe(content.event);
      expect(read['contentType']).toBe(content.contentType);
      expect([...((read['payload'] as Uint8Array | undefined) ?? [])]).toEqual([...content.payload]);
      expect(read['headers']).toEqual(content.headers && Object.fromEntries(content.headers));
      expect(read['extras'] && { ...(read['extras'] as object) }).toEqual(content.extras);
      // And the other way: what a generated encoder makes is read here.
      const { headers, ...fields } = content;
      const message = Content.fromObject({ ...fields, headers: headers && Object.fromEntries(headers) });
      expect(decodeContent(Uint8Array.from(Content.encode(message).finish()))).toEqual({
        ok: true,
        value: content,
      });
    }),
    { numRuns: 200 },
  );
});

test('records are the elements of Delivery.entries', () => {
  fc.assert(
    fc.property(
      refs,
      writers,
      fc.array(runEntries, { minLength: 1, maxLength: 4 }),
      (ref, writer, entries) => {
        const runWriter = new RunWriter();
        runWriter.begin(ref, writer, 3, 1, 0);
        entries.forEach((entry, i) => runWriter.append({ ...entry, timestamp: 10 + i }));
        const run = runWriter.end();
        const records = runWriter.bytes().subarray(run.headerBytes);
        const read = plain(Delivery, records)['entries'] as Record<string, unknown>[];
        expect(read).toHaveLength(entries.length);
        entries.forEach((entry, i) => {
          const { publisher, content } = entry;
          const got = read[i]!;
          expect(got).toMatchObject({ seq: i + 1, timestamp: 10 + i });
          expect(got['kind'] ?? 0).toBe(entryKinds.indexOf(entry.kind));
          expect(got['actor']).toBe(entry.actor);
          expect(got['idempotencyKey']).toBe(entry.idempotencyKey);
          expect(got['retain']).toBe(entry.retain);
          expect(got['push']).toBe(entry.push);
          expect(got['createParents']).toBe(entry.createParents);
          expect(got['parents']).toEqual(entry.parents?.map(dot));
          expect(publisher && { id: '', epoch: 0, seq: 0, ...(got['publisher'] as object) }).toEqual(
            publisher,
          );
          expect(got['content']).toEqual(content && plain(Content, content));
        });
      },
    ),
    { numRuns: 100 },
  );
});

test('trims and lost ranges are messages of those names', () => {
  const [a, b] = ['0a'.repeat(12), '0b'.repeat(12)] as Dot['writer'][];
  const runWriter = new RunWriter();
  runWriter.begin({ hub: 'h', channel: 'c' } as never, a!, 3, 1, 0);
  const floors = new Map([
    [b!, 2 ** 45],
    [a!, 3],
  ]);
  runWriter.append({
    kind: 'trim',
    timestamp: 1,
    trim: {
      through: { writer: a!, seq: 3 },
      floors,
      round: 9,
      forced: { through: { writer: a!, seq: 2 }, end: 300 },
    },
  });
  runWriter.append({ kind: 'gap', timestamp: 2, lost: { writer: b!, fromSeq: 1, toSeq: 300 } });
  const run = runWriter.end();
  const records = runWriter.bytes().slice(run.headerBytes);
  const [trim, gap] = [...iterateRecords(records)].map(({ bodyStart, end }) =>
    plain(Entry, records.subarray(bodyStart, end)),
  );
  expect(trim!['trim']).toEqual({
    through: dot({ writer: a!, seq: 3 }),
    floors: [dot({ writer: a!, seq: 3 }), dot({ writer: b!, seq: 2 ** 45 })],
    round: 9,
    forced: { through: dot({ writer: a!, seq: 2 }), end: 300 },
  });
  expect(gap!['lost']).toEqual({ writer: fromHex(b!), fromSeq: 1, toSeq: 300 });
});
