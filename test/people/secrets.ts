/** Cryptography as shipped, but for passwords, which take a thread and time that tests in virtual time do not have. */
import { systemSecrets } from '../../src/services/people/secrets.js';
import type { Secrets } from '../../src/engine/ports.js';

export class TestSecrets {
  checks: (string | undefined)[] = [];
  isFull = false;
  /** Of what hashes are made today. */
  recipe = 'hash';

  get secrets(): Secrets {
    return {
      ...systemSecrets(),
      isOutdated: (stored) => !stored.startsWith(this.recipe),
      hashPassword: (password) =>
        this.isFull ? undefined : Promise.resolve(`${this.recipe} of ${password}`),
      checkPassword: (password, stored) => {
        this.checks.push(stored);
        return this.isFull ? undefined : Promise.resolve(stored?.endsWith(` of ${password}`) === true);
      },
    };
  }
}
