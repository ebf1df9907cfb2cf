/** Different texts in rising order, in pieces: putting one in or taking one out moves those of its piece alone, however many
 *  there are. */

/** A piece with more is cut in two: moving a few hundred texts costs what finding the piece does. */
const pieceMax = 512;

export class SortedTexts {
  /** None is empty. */
  readonly #pieces: string[][] = [];

  add(text: string): void {
    const at = Math.max(0, this.#pieceOf(text));
    const piece = this.#pieces[at];
    if (!piece) return void this.#pieces.push([text]);
    const place = placeIn(piece, text);
    if (piece[place] === text) return;
    piece.splice(place, 0, text);
    if (piece.length > pieceMax) this.#pieces.splice(at + 1, 0, piece.splice(pieceMax / 2));
  }

  delete(text: string): void {
    const at = this.#pieceOf(text);
    const piece = this.#pieces[at];
    if (!piece) return;
    const place = placeIn(piece, text);
    if (piece[place] !== text) return;
    piece.splice(place, 1);
    if (piece.length === 0) this.#pieces.splice(at, 1);
  }

  /** Those behind `after`, which need not be there: `limit` of them at most. */
  behind(after: string, limit: number): string[] {
    const found: string[] = [];
    let at = Math.max(0, this.#pieceOf(after));
    let from = at < this.#pieces.length ? placeIn(this.#pieces[at]!, after) : 0;
    if (this.#pieces[at]?.[from] === after) from++;
    for (; at < this.#pieces.length && found.length < limit; at++, from = 0)
      found.push(...this.#pieces[at]!.slice(from, from + limit - found.length));
    return found;
  }

  /** The one that so many are before. */
  at(place: number): string | undefined {
    let left = place;
    for (const piece of this.#pieces) {
      if (left < piece.length) return piece[left];
      left -= piece.length;
    }
    return undefined;
  }

  get size(): number {
    return this.#pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** The last piece that begins at or before the text; -1 where all begin behind it. */
  #pieceOf(text: string): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pieces[middle]![0]! <= text) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The first place whose text is not below. */
function placeIn(piece: readonly string[], text: string): number {
  let low = 0;
  let high = piece.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (piece[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
