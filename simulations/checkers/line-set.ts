/** A set of lines: one bit each. */
export class LineSet {
  size = 0;
  #bits = new Uint8Array(1 << 13);

  has(line: number): boolean {
    return ((this.#bits[line >> 3] ?? 0) & (1 << (line & 7))) !== 0;
  }

  /** False when it was there already. */
  add(line: number): boolean {
    if (this.has(line)) return false;
    while (line >> 3 >= this.#bits.length) {
      const larger = new Uint8Array(this.#bits.length * 2);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[line >> 3] = this.#bits[line >> 3]! | (1 << (line & 7));
    this.size++;
    return true;
  }
}
