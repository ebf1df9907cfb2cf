/** Texts that are kept for long, cut out of longer ones that are not. */

/** Shorter parts are copied by V8 itself. */
const partMin = 13;

/** The same text in memory of its own: a part of a text keeps all of it in memory, and so a name of some letters the whole patch
 *  that it was read from. */
export function ownText(part: string): string {
  // A text that was put together is written out anew before it is cut.
  return part.length < partMin ? part : ` ${part}`.slice(1);
}
