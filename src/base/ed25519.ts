/** What Ed25519 (RFC 8032) leaves open between implementations, decided once: keys for which anybody can make signatures, those
 *  that are not written as the standard has it, and second forms of a signature do not count anywhere. */

const p = 2n ** 255n - 19n;
/** Of the group that signatures are made in. */
const order = 2n ** 252n + 27742317777372353535851937790883648493n;

/** y of the points whose order divides 8 (x is one of two, or the same): 1, -1, 0, and two more. */
const smallOrderY: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  p - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

/** Raw, 32 bytes. That it is a point at all is for whoever verifies with it. */
export function isSoundKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const y = littleEndian(key) & (2n ** 255n - 1n);
  return y < p && !smallOrderY.has(y);
}

/** R and S, 64 bytes, in the one form that S has. */
export function isSoundSignature(signature: Uint8Array): boolean {
  return signature.length === 64 && littleEndian(signature.subarray(32)) < order;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
