/** docs/protocol.md says what is true: its examples are decoded, and its tables compared. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import {
  decodeClientFrame,
  decodeServerFrame,
  errorCatalogue,
  type ErrorDefinition,
  subprotocols,
} from '../../src/protocol/index.js';
import { hub } from './support.js';

const text = readFileSync(fileURLToPath(new URL('../../docs/protocol.md', import.meta.url)), 'utf8');

/** Fenced blocks of one kind with the line they begin at. */
function examples(kind: string): (readonly [line: number, json: string])[] {
  const fence = new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\`$`, 'gm');
  return [...text.matchAll(fence)].map((match) => [text.slice(0, match.index).split('\n').length, match[1]!]);
}

const clientExamples = examples('json client');
const serverExamples = examples('json server');

describe('every example', () => {
  test.each(clientExamples)('of a client, line %i, is a frame a server takes', (_, json) => {
    const decoded = decodeClientFrame('json', utf8(json));
    expect(decoded).toMatchObject({ ok: true });
    expect(decoded.ok && decoded.value.filter((each) => 'error' in each)).toEqual([]);
  });

  test.each(serverExamples)('of a server, line %i, is a frame a client reads', (_, json) => {
    const decoded = decodeServerFrame('json', utf8(json), hub);
    expect(decoded).toMatchObject({ ok: true, value: [{ event: expect.anything() as unknown }] });
  });

  test.each(examples('json'))('of an answer over HTTP, line %i, is JSON', (_, json) => {
    expect(JSON.parse(json)).toBeTypeOf('object');
  });

  test('together they show every message', () => {
    const shown = (all: readonly (readonly [number, string])[]): string[] => {
      const envelopes = all.flatMap(([, json]) => JSON.parse(json) as object | object[]);
      return [...new Set(envelopes.flatMap((each) => Object.keys(each)))]
        .filter((name) => name !== 'requestId')
        .sort();
    };
    const both = [
      'auth',
      'close',
      'history',
      'ping',
      'pong',
      'subscribe',
      'unsubscribe',
      'user',
      'presence',
      'occupancy',
      'rpc',
    ];
    expect(shown(clientExamples)).toEqual(
      [...both, 'documentGet', 'notifications', 'presenceUpdate', 'publish', 'sessionRestore'].sort(),
    );
    expect(shown(serverExamples)).toEqual(
      [
        ...both,
        'ack',
        'delivery',
        'document',
        'error',
        'gap',
        'join',
        'leave',
        'nodes',
        'notificationInfo',
        'notifications',
        'rebase',
        'sessionInfo',
        'sessionKept',
        'sessionRestored',
        'signals',
      ].sort(),
    );
  });
});

test('the table of errors is the catalogue', () => {
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (\d+|–) \| (\w+) \| (.+) \|$/gm)].map(
    ([, code, status, close, outcome, message]) => ({ code, status, close, outcome, message }),
  );
  const catalogue = Object.entries<ErrorDefinition>(errorCatalogue).map(
    ([code, { status, close, outcome, message }]) => ({
      code,
      status: `${status}`,
      close: close === undefined ? '–' : `${close}`,
      outcome,
      message,
    }),
  );
  expect(rows).toEqual(catalogue);
});

test('close codes say whether to come back, and none is used twice', () => {
  const closes = Object.entries<ErrorDefinition>(errorCatalogue).flatMap(([code, { close }]) =>
    close === undefined ? [] : [[code, close] as const],
  );
  expect(new Set(closes.map(([, close]) => close)).size).toBe(closes.length);
  for (const [code, close] of closes) {
    expect(close, code).toBeGreaterThanOrEqual(4400);
    expect(close, code).toBeLessThan(4600);
  }
});

test('the limits are those of the code', () => {
  const kibibytes = (bytes: number): string => `${bytes / 1024} KiB`;
  const rows = new Map(
    [...text.matchAll(/^\| ([^|`]+|`event`[^|]+) \| ([^|]+) \| `[A-Z_]+` \|$/gm)].map(([, what, most]) => [
      what,
      most,
    ]),
  );
  expect(rows.get('a frame, an HTTP body')).toBe(`${limits.frameBytesMax / 1024 / 1024} MiB`);
  expect(rows.get('envelopes in a frame')).toBe(limits.envelopesPerFrameMax.toLocaleString('en'));
  expect(rows.get("a message's content, encoded")).toBe(
    `${limits.messageBytesMax / 1024 / 1024} MiB, or less by rule`,
  );
  expect(rows.get('JSON nesting of a frame')).toBe(`${limits.jsonDepthMax}`);
  expect(rows.get('subscriptions of a session, channels in a request')).toBe(
    limits.subscriptionsPerSessionMax.toLocaleString('en'),
  );
  const names = [
    limits.eventBytesMax,
    limits.contentTypeBytesMax,
    limits.idempotencyKeyBytesMax,
    limits.publisherIdBytesMax,
  ];
  expect(new Set(names)).toEqual(new Set([128]));
  expect(rows.get('`event`, `contentType`, `idempotencyKey`, publisher id')).toBe('128 bytes each');
  expect(rows.get('headers of a message')).toBe(
    `${limits.headersMax}, ${kibibytes(limits.headersBytesMax)} together`,
  );
  expect(rows.get('a cursor')).toBe(kibibytes(limits.cursorBytesMax));
  expect(rows.get('a token')).toBe(kibibytes(limits.tokenBytesMax));
  expect(rows.get('what goes with a call')).toBe(kibibytes(limits.callBytesMax));
  expect(rows.get('calls of a session under way')).toBe(`${limits.callsPerSessionMax}`);
});

test('the sub-protocols are named', () => {
  for (const name of Object.values(subprotocols)) expect(text).toContain(`\`${name}\``);
});
