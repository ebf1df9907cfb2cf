/** Cryptography as shipped, by chance that repeats; but for the hashing of passwords, which takes a thread and its time. */
import type { Random } from '../../src/base/random.js';
import type { Secrets } from '../../src/engine/ports.js';
import { systemSecrets } from '../../src/services/people/secrets.js';

export function simulatedSecrets(random: Random): Secrets {
  const hashOf = (password: string): string => `hash of ${password}`;
  return {
    ...systemSecrets((length) => random.bytes(length)),
    hashPassword: (password) => Promise.resolve(hashOf(password)),
    checkPassword: (password, stored) => Promise.resolve(stored === hashOf(password)),
    isOutdated: () => false,
  };
}
