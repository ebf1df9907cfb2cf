import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BootReport } from '../../src/cli/boot-report.js';
import { entryLine, gapLine } from '../../src/cli/entry-text.js';
import { CommandError, exitCodeOfRefusal } from '../../src/cli/exit-codes.js';
import { targetOf } from '../../src/cli/target.js';
import { formatBytes, formatCount, printable, terminalOn } from '../../src/cli/terminal.js';
import { keepOf } from '../../src/cli/trim-command.js';
import { timeArgument } from '../../src/cli/time-argument.js';

const screen = (isTTY: boolean) => {
  const output = { text: '', isTTY, columns: 80, write: (text: string) => void (output.text += text) };
  return output;
};

describe('terminals', () => {
  test('colours and progress bars are for terminals that want them', () => {
    const cases: [boolean, Record<string, string>, boolean, boolean][] = [
      [true, {}, true, true],
      [true, { NO_COLOR: '1' }, false, true],
      [true, { TERM: 'dumb' }, false, false],
      [false, {}, false, false],
    ];
    for (const [isTTY, environment, isColoured, hasProgress] of cases) {
      const output = screen(isTTY);
      const terminal = terminalOn(output, environment);
      terminal.line(terminal.style.red('text'));
      expect(output.text.includes('\u001b[31m')).toBe(isColoured);
      terminal.progress('Checking', 1, 2);
      expect(output.text.includes(' 50 %')).toBe(hasProgress);
    }
  });

  test('a line takes the place of the progress bar before it', () => {
    const output = screen(true);
    const terminal = terminalOn(output, { NO_COLOR: '1' });
    terminal.progress('Checking', 0, 0);
    terminal.line('done');
    expect(output.text.endsWith(' 100 %\r\u001b[2Kdone\n')).toBe(true);
  });

  test('text from elsewhere cannot forge lines or move the cursor', () => {
    expect(printable('a\nb\r\u001b[2J\u0007\u009b1\tü')).toBe('a\\nb\\r\\x1b[2J\\x07\\x9b1\tü');
  });

  test('numbers', () => {
    expect([0, 999, 1_000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([0, 1_023, 1_536, 20_971_520].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '20 MiB']);
  });
});

describe('entries', () => {
  const { style } = terminalOn(screen(false), {});

  test.each([
    [{ time: '2026-01-02T03:04:05.678Z', kind: 'publish', data: 'hi\n' }, '2026-01-02 03:04:05.678 hi\\n'],
    [{ time: 't', actor: 'ada', event: 'join', data: { a: [1] } }, 't ada: join {"a":[1]}'],
    [{ time: 't', kind: 'trim', late: true }, 't [trim] late'],
    [{ time: 't', dataBase64: 'AAEC', contentType: 'image/png' }, 't <3 B of image/png>'],
    [{ time: 't', channel: 'c', id: 'w-1', data: '' }, 't w-1 c'],
  ])('%j', (entry, line) => {
    const options = { withChannel: true, withId: true };
    expect(entryLine(style, entry, options).trimEnd()).toBe(line);
  });

  test('gaps say why', () => {
    expect(gapLine(style, { reason: 'trimmed', channel: 'chat' })).toBe(
      'gap: entries were removed by retention in chat',
    );
  });
});

test('times as people type them', () => {
  expect(
    ['30s', '10m', '2h ago', '1.5d', '2026-01-01', '1700000000000'].map((text) =>
      timeArgument(text, 200_000_000),
    ),
  ).toEqual(['199970000', '199400000', '192800000', '70400000', '2026-01-01', '1700000000000']);
});

test.each([
  [{ keep: '1000' }, { entries: 1_000 }],
  [{ keep: '0' }, { entries: 0 }],
  [{ keep: '64MiB' }, { bytes: 67_108_864 }],
  [{ keep: '1.5 GB' }, { bytes: 1_500_000_000 }],
  [{ keep: '2h' }, { since: '192800000' }],
  [{ before: '2h' }, { since: '192800000' }],
  [{ before: '2026-01-01' }, { since: '2026-01-01' }],
])('%j keeps %j', (said, keep) => {
  expect(keepOf(said, 200_000_000)).toEqual(keep);
});

test.each([{}, { keep: '1', before: '2h' }, { keep: 'most' }, { keep: '5 MiBs' }])(
  '%j is no word of what is kept',
  (said) => expect(() => keepOf(said, 0)).toThrow(/keep|before/),
);

test.each([
  ['BAD_NAME', 2],
  ['UNAUTHENTICATED', 4],
  ['DENIED', 4],
  ['HUB_NOT_FOUND', 1],
  ['UNSUPPORTED', 1],
  ['RATE_LIMITED', 5],
  ['QUOTA', 5],
  ['DISK_FULL', 5],
  ['INTERNAL', 5],
] as const)('%s ends with %i', (code, exitCode) => {
  expect(exitCodeOfRefusal(code)).toBe(exitCode);
  expect(exitCodeOfRefusal(code, 'indeterminate')).toBe(5);
});

describe('which node, as whom', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ringlog-target-'));
    writeFileSync(join(folder, 'admin-token'), 'of-the-directory\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('addresses in several spellings', () => {
    expect(targetOf({ token: 't' }, {})).toEqual({
      url: 'http://127.0.0.1:8080',
      hub: 'default',
      token: 't',
    });
    expect(targetOf({ url: 'localhost:9000/' }, {}).url).toBe('http://localhost:9000');
    expect(targetOf({}, { RINGLOG_URL: 'wss://ring.example/base/', RINGLOG_HUB: 'acme' })).toMatchObject({
      url: 'https://ring.example/base',
      hub: 'acme',
    });
    for (const url of ['ftp://x', 'http://', 'http://user:secret@x', '::']) {
      expect(() => targetOf({ url }, {})).toThrow(CommandError);
    }
    expect(() => targetOf({ hub: 'No' }, {})).toThrow('hub name');
  });

  test('a token by flag, file, environment, or of a data directory of this machine', () => {
    const environment = { RINGLOG_TOKEN: 'of-the-environment', RINGLOG_DATA: folder };
    expect(targetOf({ token: 'flag' }, environment).token).toBe('flag');
    expect(targetOf({ tokenFile: join(folder, 'admin-token') }, environment).token).toBe('of-the-directory');
    expect(targetOf({}, environment).token).toBe('of-the-environment');
    expect(targetOf({}, { RINGLOG_DATA: folder }).token).toBe('of-the-directory');
    expect(targetOf({ url: 'http://[::1]:1', data: folder }, {}).token).toBe('of-the-directory');
    expect(() => targetOf({ data: join(folder, 'none') }, {})).toThrow('cannot be read');
  });

  test('the token of a data directory stays on this machine', () => {
    expect(targetOf({ url: 'http://ring.example', data: folder }, {}).token).toBeUndefined();
  });
});

describe('the report of a start', () => {
  const directory = {
    path: '/data',
    storePath: '/data/store',
    nodeId: 'ab'.repeat(16) as never,
    adminToken: 'the-token',
    isNew: true,
    isTokenNew: true,
    isMember: false,
    warnings: [],
  };
  const server = {
    url: 'http://127.0.0.1:8081',
    config: { auth: { anonymous: true }, data: '/data' },
    directory,
  } as never;

  test('tells a first start, the token once, and what to try', () => {
    const output = screen(false);
    const report = new BootReport(terminalOn(output, {}), '1.2.3');
    report.step({ type: 'data-directory', directory });
    report.step({ type: 'recovered', commits: 0, entries: 0, cutBytes: 0, rebuilt: false, elapsedMs: 12 });
    report.step({ type: 'port-taken', asked: 8080, used: 8081 });
    report.step({ type: 'listening', url: 'http://127.0.0.1:8081' });
    report.ready(server);
    expect(output.text).toContain('Ringlog 1.2.3');
    expect(output.text).toContain('First start');
    expect(output.text).toContain('Port 8080 is taken; using 8081');
    expect(output.text.match(/the-token/g)?.length).toBe(1);
    expect(output.text).toContain("npx ringlog pub chat 'hello' --url http://127.0.0.1:8081");
    expect(output.text).not.toContain('\u001b');
  });

  test('tells what was cut, rebuilt and found damaged', () => {
    const output = screen(false);
    const report = new BootReport(terminalOn(output, {}), '1.2.3');
    report.step({ type: 'data-directory', directory: { ...directory, isNew: false, isTokenNew: false } });
    report.step({ type: 'damage', place: 'segment 3 at 4096', what: 'a record fails its checksum' });
    report.step({
      type: 'recovered',
      commits: 10,
      entries: 1_234,
      cutBytes: 2_048,
      rebuilt: true,
      elapsedMs: 1_500,
    });
    expect(output.text).not.toContain('First start');
    expect(output.text).toContain('Damaged: a record fails its checksum at segment 3 at 4096.');
    expect(output.text).toContain(
      'open after 1.50 s, 1,234 entries checked and taken in again, index rebuilt',
    );
    expect(output.text).toContain('Cut 2.0 KiB');
    expect(output.text).toContain('1 damaged place;');
  });

  test('tells of requests that failed, without control characters', () => {
    const output = screen(false);
    const report = new BootReport(terminalOn(output, {}), '1.2.3');
    const before = output.text;
    report.logLine('{"level":"info","msg":"Listening."}');
    report.logLine('{"level":"error","type":"damage","msg":"told as a step"}');
    expect(output.text).toBe(before);
    report.logLine('{"level":"error","msg":"A request failed.","err":{"message":"a\\u001b[2Jb"}}');
    expect(output.text.slice(before.length).trim()).toBe('A request failed. a\\x1b[2Jb');
  });
});
