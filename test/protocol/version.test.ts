import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { protocolHistory, protocolVersion, subprotocols } from '../../src/protocol/index.js';

const proto = readFileSync(fileURLToPath(new URL('../../proto/client.proto', import.meta.url)), 'utf8');

/** Of what the file says: comments and spacing aside. */
function digestOf(text: string): string {
  const said = text
    .replaceAll(/\/\/.*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return createHash('sha256').update(said).digest('hex').slice(0, 16);
}

test('a change of proto/client.proto has a line in the history of src/protocol/version.ts', () => {
  expect(digestOf(proto)).toBe(protocolHistory.at(-1)?.digest);
});

test('the newest line is of the version that is spoken', () => {
  expect(protocolHistory.at(-1)?.version).toBe(protocolVersion);
  const versions = protocolHistory.map(({ version }) => version);
  expect(versions).toEqual([...versions].sort((a, b) => a - b));
});

test('the sub-protocols name the version', () => {
  expect(subprotocols).toEqual({
    protobuf: `ringlog.v${protocolVersion}.protobuf`,
    json: `ringlog.v${protocolVersion}.json`,
  });
});

test('comments and spacing do not change the digest, a field does', () => {
  expect(digestOf(`// hello\n${proto}\n\n`)).toBe(digestOf(proto));
  expect(digestOf(`${proto} message More { bool more = 1; }`)).not.toBe(digestOf(proto));
});
