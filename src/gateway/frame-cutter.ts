/** Cuts the usual WebSocket frame out of what a socket received, ahead of `ws`: whole, final, masked, of the session's
 *  own kind. Everything else (fragments, control frames, frames that span reads, violations) is left to `ws`, byte for
 *  byte and in order, so RFC 6455 has one implementation and this is a short cut past it: `ws` spends three quarters of a
 *  small publish on states and objects that such a frame does not need. */

const finalBit = 0x80;
const maskBit = 0x80;
const opcodeBits = 0x0f;
const closeOpcode = 8;
/** A whole binary message. Text is left to `ws`, which checks that it is UTF-8. */
const usualFirstByte = 0x82;

/** Where the bytes go. */
export interface FrameCutterSink {
  /** A payload, unmasked in place. */
  cut(payload: Buffer): void;
  /** Bytes for `ws`. */
  pass(bytes: Buffer): void;
}

const nothing = Buffer.alloc(0);

export class FrameCutter {
  readonly #sink: FrameCutterSink;
  /** Longer payloads are left to `ws`, which refuses them. */
  readonly #payloadBytesMax: number;
  /** Bytes still to pass of a frame that `ws` has the beginning of. */
  #passing = 0;
  /** `ws` may find a violation in what this read has passed, and says so only after it: nothing is cut behind it. */
  #inDoubt = false;
  /** Inside a fragmented message: its later parts are for `ws` too. */
  #fragmented = false;
  /** The beginning of a header that the last read ended in. */
  #held: Buffer = nothing;
  /** The client's close frame was passed, or `ws` found a violation: what follows means nothing. */
  #ended = false;

  constructor(sink: FrameCutterSink, payloadBytesMax: number) {
    this.#sink = sink;
    this.#payloadBytesMax = payloadBytesMax;
  }

  /** `ws` takes nothing more. */
  end(): void {
    this.#ended = true;
    this.#held = nothing;
  }

  push(chunk: Buffer): void {
    if (this.#passing === 0) this.#inDoubt = false;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = nothing;
    let at = 0;
    // What must be passed is gathered as far as it lies together: bytes[from, at).
    let from = 0;
    while (at < bytes.length && !(this.#ended && this.#passing === 0)) {
      if (this.#passing > 0) {
        const part = Math.min(this.#passing, bytes.length - at);
        this.#passing -= part;
        at += part;
        continue;
      }
      const header = readHeader(bytes, at);
      if (!header) {
        this.#pass(bytes, from, at);
        this.#held = Buffer.from(bytes.subarray(at));
        return;
      }
      const end = at + header.headerBytes + header.payloadBytes;
      const isUsual = this.#isUsual(bytes[at]!, header);
      if (isUsual && !this.#inDoubt && end <= bytes.length) {
        this.#pass(bytes, from, at);
        this.#cut(bytes, at + header.headerBytes, end);
        from = end;
        at = end;
      } else {
        if (!isUsual) this.#follow(bytes[at]! & opcodeBits, (bytes[at]! & finalBit) !== 0);
        this.#passing = end - at;
      }
    }
    this.#pass(bytes, from, at);
  }

  #isUsual(first: number, { isMasked, payloadBytes }: FrameHeader): boolean {
    return first === usualFirstByte && isMasked && !this.#fragmented && payloadBytes <= this.#payloadBytesMax;
  }

  /** Keeps up with what `ws` is in the middle of. */
  #follow(opcode: number, isFinal: boolean): void {
    this.#inDoubt = true;
    if (opcode < closeOpcode) this.#fragmented = !isFinal;
    else if (opcode === closeOpcode) this.#ended = true;
  }

  #cut(bytes: Buffer, start: number, end: number): void {
    unmask(bytes, start, end);
    this.#sink.cut(bytes.subarray(start, end));
  }

  #pass(bytes: Buffer, start: number, end: number): void {
    if (end > start) this.#sink.pass(bytes.subarray(start, end));
  }
}

interface FrameHeader {
  headerBytes: number;
  payloadBytes: number;
  isMasked: boolean;
}

/** Reused: one header is looked at at a time. */
const header: FrameHeader = { headerBytes: 0, payloadBytes: 0, isMasked: false };

/** `undefined` when more bytes are needed to tell where the frame ends. */
function readHeader(bytes: Buffer, at: number): FrameHeader | undefined {
  const left = bytes.length - at;
  if (left < 2) return undefined;
  const second = bytes[at + 1]!;
  header.isMasked = (second & maskBit) !== 0;
  const maskBytes = header.isMasked ? 4 : 0;
  const short = second & 0x7f;
  if (short < 126) {
    header.headerBytes = 2 + maskBytes;
    header.payloadBytes = short;
  } else {
    const lengthBytes = short === 126 ? 2 : 8;
    header.headerBytes = 2 + lengthBytes + maskBytes;
    if (left < 2 + lengthBytes) return undefined;
    header.payloadBytes =
      lengthBytes === 2
        ? bytes.readUInt16BE(at + 2)
        : bytes.readUInt32BE(at + 2) * 4_294_967_296 + bytes.readUInt32BE(at + 6);
  }
  return left < header.headerBytes ? undefined : header;
}

/** The mask stands before the payload. Four bytes a step: payloads are short. */
function unmask(bytes: Buffer, start: number, end: number): void {
  const m0 = bytes[start - 4]!;
  const m1 = bytes[start - 3]!;
  const m2 = bytes[start - 2]!;
  const m3 = bytes[start - 1]!;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    bytes[at] = bytes[at]! ^ m0;
    bytes[at + 1] = bytes[at + 1]! ^ m1;
    bytes[at + 2] = bytes[at + 2]! ^ m2;
    bytes[at + 3] = bytes[at + 3]! ^ m3;
  }
  if (at < end) bytes[at] = bytes[at]! ^ m0;
  if (at + 1 < end) bytes[at + 1] = bytes[at + 1]! ^ m1;
  if (at + 2 < end) bytes[at + 2] = bytes[at + 2]! ^ m2;
}
