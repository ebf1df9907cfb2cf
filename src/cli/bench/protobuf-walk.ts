/** Walks over encoded fields in place. It trusts the server that is measured: broken bytes end the load with an error,
 *  not with a diagnosis. */

export class ProtobufWalk {
  bytes: Buffer = Buffer.alloc(0);
  /** The field at hand: its tag, its value (varints), and where its content starts. */
  tag = 0;
  value = 0;
  start = 0;
  #contentEnd = 0;
  #at = 0;
  #end = 0;

  over(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
    return this;
  }

  /** To the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#end) {
      if (this.#at > this.#end) throw new Error('a message of the server ends inside a field');
      return false;
    }
    this.tag = this.#varint();
    switch (this.tag & 7) {
      case 0:
        this.value = this.#varint();
        return true;
      case 1:
        this.#at += 8;
        return true;
      case 2: {
        const length = this.#varint();
        this.start = this.#at;
        this.#at += length;
        this.#contentEnd = this.#at;
        return true;
      }
      case 5:
        this.#at += 4;
        return true;
      default:
        throw new Error(`a message of the server has a field of no known type: ${this.tag}`);
    }
  }

  /** Into the field at hand; `leave` takes what this returns. */
  enter(): number {
    const outer = this.#end;
    this.#at = this.start;
    this.#end = this.#contentEnd;
    return outer;
  }

  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  text(): string {
    return this.bytes.toString('utf8', this.start, this.#contentEnd);
  }

  #varint(): number {
    const { bytes } = this;
    const first = bytes[this.#at++]!;
    if (first < 128) return first;
    let value = first & 127;
    for (let scale = 128; ; scale *= 128) {
      const byte = bytes[this.#at++];
      if (byte === undefined || scale > 2 ** 63) throw new Error('a number of the server has no end');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}
