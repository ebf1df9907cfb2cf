/** What the directory of a hub needs of cryptography. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes as systemBytes,
  timingSafeEqual,
} from 'node:crypto';
import type { Secrets } from '../../engine/ports.js';
import { isSignature, isUsableKey } from './ed25519.js';
import { Passwords } from './passwords.js';

const ivBytes = 12;
const tagBytes = 16;

/** `randomBytes`: another source of them, for runs that are to repeat. */
export function systemSecrets(
  randomBytes: Secrets['randomBytes'] = systemBytes,
): Secrets & { stop(): Promise<void> } {
  const passwords = new Passwords();
  return {
    hashPassword: (password) => passwords.hash(password),
    checkPassword: (password, stored) => passwords.check(password, stored),
    isOutdated: (stored) => passwords.isOutdated(stored),
    isUsableKey,
    isSignature,
    mac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
    isMac: (key, bytes, mac) => {
      const expected = createHmac('sha256', key).update(bytes).digest();
      return mac.length === expected.length && timingSafeEqual(mac, expected);
    },
    seal: (key, bytes, context) => {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(context);
      const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open: (key, sealed, context) => {
      const tagEnd = ivBytes + tagBytes;
      if (sealed.length < tagEnd) return undefined;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), {
          authTagLength: tagBytes,
        });
        decipher.setAAD(context).setAuthTag(sealed.subarray(ivBytes, tagEnd));
        return Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
    randomBytes,
    stop: () => passwords.stop(),
  };
}
