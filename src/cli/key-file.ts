/** The Ed25519 key of an account, in a file of its owner: PKCS #8, PEM. */
import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { CommandError, exitCodes } from './exit-codes.js';

export interface KeyPair {
  /** Raw, as base64url. */
  readonly publicKey: string;
  readonly sign: (message: Uint8Array) => string;
}

export async function keyPairIn(file: string): Promise<KeyPair> {
  const key = await privateKeyIn(file);
  return {
    publicKey: publicKeyOf(key),
    sign: (message) => sign(null, message, key).toString('base64url'),
  };
}

/** Writes over no file: what a key opens is lost with it. Its public key. */
export async function newKeyFile(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  try {
    await writeFile(file, pem, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new CommandError(exitCodes.usage, `The key cannot be written: ${(error as Error).message}.`);
  }
  return publicKeyOf(privateKey);
}

function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'jwk' }).x!;
}

async function privateKeyIn(file: string): Promise<KeyObject> {
  try {
    const key = createPrivateKey(await readFile(file));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told as what it is not.
  }
  throw new CommandError(
    exitCodes.usage,
    `${file} is no Ed25519 key in PEM: ringlog user key new ${file} makes one.`,
  );
}
