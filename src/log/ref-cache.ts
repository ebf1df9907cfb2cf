/** Names read lately: a scan over millions of runs makes the strings of each channel and writer once, and the
 *  summaries it yields share them. */
import { toHex } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { type ChannelRef, type WriterId, parseChannelName, parseHubName } from '../base/ids.js';

interface CachedRef {
  readonly bytes: Uint8Array;
  readonly ref: ChannelRef;
}

export class RefCache {
  readonly #refs: (CachedRef | undefined)[];
  #writerBytes = new Uint8Array(0);
  #writer = '' as WriterId;

  constructor(slots = 4096) {
    this.#refs = Array.from({ length: slots }, () => undefined);
  }

  /** The channel named by bytes[start, end): hub length u8, hub, channel length u8, channel; `undefined` if they are
   *  no names. */
  ref(bytes: Uint8Array, start: number, end: number): ChannelRef | undefined {
    const slot = crc32(bytes, start, end) % this.#refs.length;
    const cached = this.#refs[slot];
    if (cached && sameBytes(cached.bytes, bytes, start, end)) return cached.ref;
    const ref = parseRef(bytes, start, end);
    if (ref) this.#refs[slot] = { bytes: bytes.slice(start, end), ref };
    return ref;
  }

  writer(bytes: Uint8Array, start: number): WriterId {
    if (!sameBytes(this.#writerBytes, bytes, start, start + 12)) {
      this.#writerBytes = bytes.slice(start, start + 12);
      this.#writer = toHex(this.#writerBytes) as WriterId;
    }
    return this.#writer;
  }
}

function parseRef(bytes: Uint8Array, start: number, end: number): ChannelRef | undefined {
  const hubEnd = start + 1 + (bytes[start] ?? 0);
  const channelEnd = hubEnd + 1 + (bytes[hubEnd] ?? 0);
  if (channelEnd !== end) return undefined;
  const hub = parseHubName(asciiText(bytes, start + 1, hubEnd));
  const channel = parseChannelName(asciiText(bytes, hubEnd + 1, channelEnd));
  return hub.ok && channel.ok ? { hub: hub.value, channel: channel.value } : undefined;
}

/** Names are ASCII; any other byte becomes a character that no name has. */
function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
