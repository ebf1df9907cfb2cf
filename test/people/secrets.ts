/** Cryptography as shipped, but for passwords, which take a thread and time that tests in virtual time do not have. */
import { systemSecrets } from '../../src/services/people/secrets.js';
import type { Secrets } from '../../src/engine/ports.js';

export class TestSecrets {
  checks: (string | undefined)[] = [];
  isFull = false;

  get secrets(): Secrets {
    return {
      ...systemSecrets(),
      hashPassword: (password) => (this.isFull ? undefined : Promise.resolve(`hash of ${password}`)),
      checkPassword: (password, stored) => {
        this.checks.push(stored);
        return this.isFull ? undefined : Promise.resolve(stored === `hash of ${password}`);
      },
    };
  }
}
