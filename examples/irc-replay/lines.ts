/** IRC days as NDJSON, gzipped or not: read line by line, each checked as it is read. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

export const lineKinds = ['message', 'action', 'join', 'part', 'nick'] as const;
export type LineKind = (typeof lineKinds)[number];

export interface IrcLine {
  readonly day: string;
  readonly time: string;
  readonly kind: LineKind;
  readonly nick: string;
  /** What was said, of a message or an action. */
  readonly text?: string;
  /** The new name, of a nick. */
  readonly to?: string;
  readonly channel: string;
}

/** The input is not what it should be: told with the line's number. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Can be read more than once. */
export type LineSource = () => AsyncIterable<IrcLine>;

export interface Overview {
  readonly lines: number;
  readonly days: number;
  readonly nicks: number;
  readonly channels: readonly string[];
}

const lineBytesMax = 65_536;
/** A session can have no more subscriptions. */
const channelsMax = 4_096;
const channelBytesMax = 255;
const newline = 0x0a;

export function fileSource(path: string): LineSource {
  return async function* () {
    let number = 0;
    for await (const text of textLines(path)) {
      number++;
      if (text.trim() !== '') yield parseLine(text, number);
    }
    if (number === 0) throw new InputError(`${path} is empty`);
  };
}

/** The first so many days of it. */
export function firstDays(source: LineSource, days: number): LineSource {
  return async function* () {
    let [seen, day] = [0, ''];
    for await (const line of source()) {
      if (line.day !== day) [seen, day] = [seen + 1, line.day];
      if (seen > days) return;
      yield line;
    }
  };
}

export async function overviewOf(source: LineSource): Promise<Overview> {
  let [lines, days, day] = [0, 0, ''];
  const nicks = new Set<string>();
  const channels = new Set<string>();
  for await (const line of source()) {
    lines++;
    if (line.day !== day) [days, day] = [days + 1, line.day];
    nicks.add(line.nick);
    channels.add(channelOf(line.channel));
    if (channels.size > channelsMax)
      throw new InputError(
        `the input has more than ${channelsMax} channels, which is what a session can read`,
      );
  }
  return { lines, days, nicks: nicks.size, channels: [...channels] };
}

export function parseLine(text: string, number: number): IrcLine {
  const wrong = (what: string) => new InputError(`line ${number}: ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('not a JSON object, as {"day":…,"time":…,"kind":…,"nick":…,"channel":…} is');
  const line = value as Record<string, unknown>;
  for (const member of ['day', 'time', 'nick', 'channel'])
    if (typeof line[member] !== 'string' || line[member] === '')
      throw wrong(`"${member}" is ${shown(line[member])} where a text is wanted`);
  if (!lineKinds.includes(line['kind'] as LineKind))
    throw wrong(`"kind" is ${shown(line['kind'])}; it is one of ${lineKinds.join(', ')}`);
  if (channelOf(line['channel'] as string).length > channelBytesMax) throw wrong('"channel" is too long');
  const needed = { message: 'text', action: 'text', nick: 'to', join: undefined, part: undefined };
  const member = needed[line['kind'] as LineKind];
  if (member !== undefined && typeof line[member] !== 'string')
    throw wrong(`"${member}" of a ${String(line['kind'])} is ${shown(line[member])} where a text is wanted`);
  return value as IrcLine;
}

/** The channel's name here. IRC allows nearly every byte in names; what has no place in ours is written as =XX. */
export function channelOf(name: string): string {
  const safe = [...Buffer.from(name)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9._~@+-]/.test(character)
      ? character
      : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return `irc:${safe.join('')}`;
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}

/** Lines of a file as text, without reading more than a line ahead. */
async function* textLines(path: string): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 1;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const textOf = (bytes: Uint8Array) => {
    if (bytes.length > lineBytesMax)
      throw new InputError(`line ${number} is longer than ${lineBytesMax} bytes`);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new InputError(`line ${number} is not UTF-8`);
    }
  };
  for await (const chunk of await bytesOf(path)) {
    let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline)) {
      yield textOf(bytes.subarray(0, end));
      number++;
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > lineBytesMax) textOf(bytes);
    rest = bytes;
  }
  if (rest.length > 0) yield textOf(rest);
}

async function bytesOf(path: string): Promise<AsyncIterable<Buffer>> {
  const gzipped = await beginsLikeGzip(path);
  const file = createReadStream(path);
  if (!gzipped) return file as AsyncIterable<Buffer>;
  // The reader of the last stream is told of errors of all.
  return pipeline(file, createGunzip(), () => {}) as AsyncIterable<Buffer>;
}

async function beginsLikeGzip(path: string): Promise<boolean> {
  let file;
  try {
    file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${(error as Error).message}`);
  } finally {
    await file?.close();
  }
}
