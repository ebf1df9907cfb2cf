/** Both encodings carry the same meaning, and what is written is what is read. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeContent } from '../../src/log/entry-wire.js';
import type { Content } from '../../src/log/entry.js';
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeDeliveryFrame,
  encodeServerFrame,
} from '../../src/protocol/index.js';
import type {
  ClientMessage,
  DeliveredEntry,
  OutgoingMessage,
  ReceivedEnvelope,
  ServerEvent,
  ServerMessage,
} from '../../src/protocol/messages.js';
import { hub, outgoingMessage, serverMessage, slice, withoutChecksums } from './support.js';

const requestId = fc.integer({ min: 0, max: 2 ** 32 - 100 });
const clientFrame = fc.array(fc.record({ requestId, message: outgoingMessage }), {
  minLength: 1,
  maxLength: 3,
});
const serverFrame = fc.array(fc.record({ requestId, message: serverMessage }), {
  minLength: 1,
  maxLength: 3,
});

/** A received message with its content decoded, to compare with what was sent. */
function opened(message: ClientMessage): OutgoingMessage {
  if (message.type !== 'publish') return message;
  const { store: _store, retain: _retain, push: _push, ...rest } = message;
  const content = decodeContent(message.content);
  return { ...rest, content: content.ok ? withCopies(content.value) : { payload: new Uint8Array() } };
}

const withCopies = (content: Content): Content => ({ ...content, payload: new Uint8Array(content.payload) });

function messagesOf(envelopes: readonly ReceivedEnvelope[]): unknown {
  return envelopes.map((each) =>
    'error' in each ? each : { requestId: each.requestId, message: opened(each.message) },
  );
}

/** A string in JSON that says it is JSON, or no type and valid text: the only rewriting the JSON form does. */
function normalized(message: OutgoingMessage): OutgoingMessage {
  if (message.type !== 'publish') return message;
  const { extras, headers, ...content } = message.content;
  return {
    ...message,
    content: { ...content, ...(extras && { extras }), ...(headers && headers.size > 0 && { headers }) },
  };
}

test.each(['protobuf', 'json'] as const)('a server reads what a client wrote in %s', (encoding) => {
  fc.assert(
    fc.property(clientFrame, (envelopes) => {
      const decoded = decodeClientFrame(encoding, encodeClientFrame(encoding, envelopes));
      const sent = envelopes.map((each) => ({ ...each, message: normalized(each.message) }));
      expect(decoded.ok && messagesOf(decoded.value)).toEqual(sent);
    }),
    { numRuns: 400 },
  );
});

const entriesPlain = (entries: readonly DeliveredEntry[]): DeliveredEntry[] =>
  entries.map((each) => ({ ...each, entry: withoutChecksums(each.entry) }));

/** What both encodings of an event must agree on. */
function meaning(event: ServerEvent): ServerEvent {
  switch (event.type) {
    case 'delivery':
    case 'history':
      return { ...event, entries: entriesPlain(event.entries) };
    case 'subscribe':
    case 'sessionRestored': {
      const results = event.results.map(({ retained, ...rest }) => ({
        ...rest,
        ...(retained && { retained: entriesPlain([retained])[0]! }),
      }));
      return { ...event, results };
    }
    default:
      return event;
  }
}

/** JSON writes an ack for each; protobuf one for a range. */
function singleAcks(envelopes: readonly { requestId: number; message: ServerMessage }[]) {
  return envelopes.map(({ requestId: id, message }) => ({
    requestId: id,
    message: message.type === 'ack' ? { ...message, count: 1 } : message,
  }));
}

test('a client reads the same from both encodings', () => {
  fc.assert(
    fc.property(serverFrame.map(singleAcks), (envelopes) => {
      const [binary, json] = (['protobuf', 'json'] as const).map((encoding) => {
        const decoded = decodeServerFrame(encoding, encodeServerFrame(encoding, envelopes), hub);
        expect(decoded).toMatchObject({ ok: true });
        return decoded.ok ? decoded.value.map((each) => ({ ...each, event: meaning(each.event) })) : [];
      });
      expect(json).toEqual(binary);
      expect(binary).toHaveLength(envelopes.length);
    }),
    { numRuns: 400 },
  );
});

test('a range of acks is one message in protobuf and one each in JSON', () => {
  fc.assert(
    fc.property(serverMessage, requestId, (message, id) => {
      fc.pre(message.type === 'ack');
      const decoded = decodeServerFrame('json', encodeServerFrame('json', [{ requestId: id, message }]), hub);
      const expected = Array.from({ length: message.count }, (_, i) => ({
        requestId: id + i,
        event: {
          ...message,
          count: 1,
          timestamp: message.timestamp + i,
          ...(message.dot && { dot: { ...message.dot, seq: message.dot.seq + i } }),
          ...(message.version !== undefined && { version: message.version + i }),
        },
      }));
      expect(decoded).toEqual({ ok: true, value: expected });
    }),
    { numRuns: 200 },
  );
});

test.each(['protobuf', 'json'] as const)(
  'a delivery made for fan-out is the same frame in %s',
  (encoding) => {
    fc.assert(
      fc.property(slice, (delivery) => {
        const single = encodeDeliveryFrame(encoding, delivery);
        const general = encodeServerFrame(encoding, [
          { requestId: 0, message: { type: 'delivery', delivery } },
        ]);
        expect(Buffer.from(single)).toEqual(Buffer.from(general));
      }),
      { numRuns: 100 },
    );
  },
);

test('concatenated protobuf frames are one frame', () => {
  fc.assert(
    fc.property(clientFrame, clientFrame, (first, second) => {
      const frames = [first, second].map((each) => encodeClientFrame('protobuf', each));
      const joined = decodeClientFrame('protobuf', new Uint8Array(Buffer.concat(frames)));
      expect(joined).toEqual(
        decodeClientFrame('protobuf', encodeClientFrame('protobuf', [...first, ...second])),
      );
    }),
    { numRuns: 50 },
  );
});

test('an entry whose bytes changed on the way fails the frame', () => {
  fc.assert(
    fc.property(slice, fc.nat(), fc.integer({ min: 1, max: 255 }), (delivery, position, change) => {
      const records = delivery.records.slice();
      records[position % records.length]! ^= change;
      const whole = decodeServerFrame('protobuf', encodeDeliveryFrame('protobuf', delivery), hub);
      const damaged = decodeServerFrame(
        'protobuf',
        encodeDeliveryFrame('protobuf', { ...delivery, records }),
        hub,
      );
      expect(damaged).not.toEqual(whole);
    }),
    { numRuns: 300 },
  );
});
