/** Protobuf fields, read without any code of the product: what checks the product must not share its mistakes. */

export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

/** A walk over the fields of one message. After `next()` the field's number and wire type are set, and either `value`
 *  (varint, fixed32, fixed64) or the range `start` to `end` (length-delimited). Throws MalformedError. */
export class ProtobufReader {
  field = 0;
  wireType = 0;
  value = 0;
  start = 0;
  end = 0;
  #at: number;

  constructor(
    readonly bytes: Uint8Array,
    at = 0,
    readonly limit = bytes.length,
  ) {
    this.#at = at;
  }

  next(): boolean {
    if (this.#at >= this.limit) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    switch (this.wireType) {
      case 0:
        this.value = this.#varint();
        return true;
      case 1:
        this.value = fixed64(this.bytes, this.#take(8));
        return true;
      case 2: {
        const length = this.#varint();
        this.start = this.#take(length);
        this.end = this.#at;
        return true;
      }
      case 5:
        this.value = fixed32(this.bytes, this.#take(4));
        return true;
      default:
        throw new MalformedError(`wire type ${this.wireType} at byte ${this.#at}`);
    }
  }

  /** The range of a length-delimited field as bytes: a view. */
  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  text(): string {
    return textOf(this.bytes, this.start, this.end);
  }

  nested(): ProtobufReader {
    return new ProtobufReader(this.bytes, this.start, this.end);
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.limit)
      throw new MalformedError(`a field of ${length} bytes passes byte ${this.limit}`);
    this.#at = from + length;
    return from;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.limit) break;
      const byte = this.bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new MalformedError(`a varint without an end at byte ${this.#at}`);
  }
}

export function fixed32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function fixed64(bytes: Uint8Array, at: number): number {
  return fixed32(bytes, at + 4) * 4_294_967_296 + fixed32(bytes, at);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws where the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

export function hexOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('hex');
}
