/** Names and identifiers, branded so that two of them cannot be swapped, with the parsers that make them. */
import { toHex, utf8 } from './bytes.js';
import { type Result, err, ok } from './result.js';

export type HubName = string & { readonly __brand: 'HubName' };
export type ChannelName = string & { readonly __brand: 'ChannelName' };
/** A node as an appender: 12 bytes as 24 lower-case hex digits, so string order is byte order. */
export type WriterId = string & { readonly __brand: 'WriterId' };
/** 16 random bytes as 32 hex digits. */
export type NodeId = string & { readonly __brand: 'NodeId' };
/** 16 random bytes as 32 hex digits; changes whenever a store may have forgotten something. */
export type StoreId = string & { readonly __brand: 'StoreId' };

/** Names one entry of a channel for ever. */
export interface Dot {
  readonly writer: WriterId;
  readonly seq: number;
}

/** Which log: a channel inside a hub. */
export interface ChannelRef {
  readonly hub: HubName;
  readonly channel: ChannelName;
}

export const channelNameBytesMax = 255;

/** What concerns the whole cluster is kept in channels of this hub; for administrators only. */
export const systemHub = '$ringlog' as HubName;

const hubPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const plainCharacters = 'A-Za-z0-9._~@+=-';
const segment = `(?:[${plainCharacters}]|%[0-9A-F]{2})+`;
const channelPattern = new RegExp(`^\\$?${segment}(?::${segment})*$`);
/** Escaped although it need not be: a second name for the same thing. */
const needlessEscape = /%(?:2[BDE]|3[0-9D]|4[0-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])/;
const writerPattern = /^[0-9a-f]{24}$/;

export function parseHubName(text: string): Result<HubName, string> {
  return hubPattern.test(text) || text === systemHub
    ? ok(text as HubName)
    : err('A hub name has 1 to 63 of a-z, 0-9 and "-", and does not start with "-".');
}

export function parseChannelName(text: string): Result<ChannelName, string> {
  const isName =
    text.length <= channelNameBytesMax && channelPattern.test(text) && !needlessEscape.test(text);
  return isName ? ok(text as ChannelName) : err(channelGrammar);
}

const channelGrammar =
  'A channel name has 1 to 255 of A-Z, a-z, 0-9 and ._~@+=- in segments joined by ":"; percent-encode other ' +
  'characters, in upper case.';

/** The name for any text: what the grammar lacks is percent-encoded (RFC 3986 §2.1) byte by byte. A text that is a name
 *  already stays as it is, and ":" still separates segments. The result may be too long, or have an empty segment. */
export function channelNameFor(text: string): string {
  if (channelPattern.test(text)) return text;
  const encoded = Array.from(text, (character, i) => {
    const stays = plainCharacter.test(character) || character === ':' || (character === '$' && i === 0);
    return stays ? character : percentEncoded(character);
  });
  return encoded.join('');
}

/** One segment for any text, another for another text: unlike `channelNameFor` it escapes ":" and "%" too. */
export function channelSegmentFor(text: string): string {
  return Array.from(text, (character) =>
    plainCharacter.test(character) ? character : percentEncoded(character),
  ).join('');
}

const plainCharacter = new RegExp(`^[${plainCharacters}]$`);

function percentEncoded(character: string): string {
  let out = '';
  for (const byte of utf8(character)) out += `%${toHex(Uint8Array.of(byte)).toUpperCase()}`;
  return out;
}

export function parseWriterId(text: string): Result<WriterId, string> {
  return writerPattern.test(text) ? ok(text as WriterId) : err('A writer id is 24 hex digits.');
}

/** Dot as text, the message id users see: `writer-seq`. */
export function dotText(dot: Dot): string {
  return `${dot.writer}-${dot.seq}`;
}

export function parseDot(text: string): Result<Dot, string> {
  const match = /^([0-9a-f]{24})-([1-9][0-9]{0,15})$/.exec(text);
  const seq = Number(match?.[2]);
  return match && Number.isSafeInteger(seq)
    ? ok({ writer: match[1] as WriterId, seq })
    : err('A message id is a writer id, "-" and a sequence number.');
}

/** The namespace is the text before the first ":"; `undefined` without one. */
export function namespaceOf(channel: string): string | undefined {
  const colon = channel.indexOf(':');
  return colon < 0 ? undefined : channel.slice(0, colon);
}

/** System channels start with "$". */
export function isSystemChannel(channel: string): boolean {
  return channel.charCodeAt(0) === 36;
}

/** One string for a hub and channel, for maps: "/" is in neither grammar. */
export function channelKey(ref: ChannelRef): string {
  return `${ref.hub}/${ref.channel}`;
}
