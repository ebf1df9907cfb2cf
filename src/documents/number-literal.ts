/** Whether a number is still the one that was written once it is a double. */

/** Of JSON. Sticky: `lastIndex` says where. */
export const numberPattern = /-?(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

/** The literal's value, and its parts as `numberPattern` has them. */
export type NumberLiteral = readonly [
  literal: string,
  whole: string,
  fraction: string | undefined,
  exponent: string | undefined,
];

/** Expects the double that is nearest to it. A whole number must come back as it was, in whatever way it is written, and what
 *  is not zero must not become zero. A fraction may have more digits than doubles do: they are measured, not counted. */
export function isKept(literal: NumberLiteral, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const { digits, exponent } = decimalOf(literal);
  if (value === 0) return digits === '';
  // Every whole number up to 2^53 is a double, and so itself.
  if (!Number.isInteger(value) || Number.isSafeInteger(value) || exponent < 0) return true;
  numberPattern.lastIndex = 0;
  const back = decimalOf(numberPattern.exec(String(value)) as unknown as NumberLiteral);
  return back.digits === digits && back.exponent === exponent;
}

/** `digits` times ten to `exponent`, without zeros at either end; no digits for zero. */
function decimalOf([, whole, fraction = '', exponent = '0']: NumberLiteral): {
  readonly digits: string;
  readonly exponent: number;
} {
  const all = whole + fraction;
  let from = 0;
  while (from < all.length && all[from] === '0') from++;
  let to = all.length;
  while (to > from && all[to - 1] === '0') to--;
  return { digits: all.slice(from, to), exponent: Number(exponent) - fraction.length + all.length - to };
}
