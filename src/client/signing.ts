/** Signed messages, a part of `ringlog/people`.
 *
 *      const signer = signerOf(client, { user: 'ada', publicKey, sign });
 *      await signer.publish('ledger', { amount: 5 });
 *
 *      const verifier = verifierOf(client);
 *      if ((await verifier.check(message)) === 'valid') …
 */
import { fromBase64 } from '../base/bytes.js';
import { isSoundKey, isSoundSignature } from '../base/ed25519.js';
import { channelNameFor } from '../base/ids.js';
import { signedBytes } from '../protocol/signed-message.js';
import type { PublishedKind } from '../protocol/messages.js';
import type { Client } from './client.js';
import { contentOf } from './content.js';
import { RinglogError } from './error.js';
import type { Message } from './message.js';
import type { PublishOptions } from './options.js';
import type { Published } from './published.js';

export interface Signing {
  /** Whom the client is authenticated as. */
  readonly user: string;
  /** Of its account: raw Ed25519, base64url. */
  readonly publicKey: string;
  /** Signs bytes with the account's key; 64 bytes as base64url. */
  readonly sign: (message: Uint8Array) => string | Promise<string>;
}

export function signerOf(client: Client, signing: Signing): Signer {
  return new Signer(client, signing);
}

class Signer {
  readonly #client: Client;
  readonly #signing: Signing;
  /** Signing takes a while: what is published goes in the order in which it came. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: Client, signing: Signing) {
    this.#client = client;
    this.#signing = signing;
  }

  /** As `client.publish`, signed. */
  async publish(channel: string, data?: unknown, options: PublishOptions = {}): Promise<Published> {
    const idempotencyKey = options.idempotencyKey ?? this.#client.newKey();
    const content = contentOf(data, options);
    const { user, publicKey, sign } = this.#signing;
    const { hub } = this.#client;
    const name = channelNameFor(channel);
    const signing = this.#last
      .catch(() => undefined)
      .then(() => sign(signedBytes({ hub, channel: name, user, publicKey, idempotencyKey, content })));
    this.#last = signing;
    const signature = fromBase64(await signing);
    if (!signature)
      throw new RinglogError({
        code: 'INVALID',
        outcome: 'rejected',
        message: 'The signature is not base64url.',
      });
    const { payload, contentType } = content;
    const typed = contentType === undefined ? {} : { contentType };
    return this.#client.publish(name, dataOf(payload, contentType), {
      ...options,
      ...typed,
      idempotencyKey,
      signature,
    });
  }
}

/** `valid`: by the present key of its author's account. `unknown`: nobody, or nobody with a key, wrote it. */
export type Verdict = 'valid' | 'unsigned' | 'forged' | 'unknown';

export interface VerifierOptions {
  /** The key of a user, raw Ed25519 as base64url; left out: the hub's directory is asked. */
  readonly keyOf?: (user: string) => string | undefined | Promise<string | undefined>;
}

export function verifierOf(client: Client, options: VerifierOptions = {}): Verifier {
  return new Verifier(client, options);
}

class Verifier {
  readonly #client: Client;
  readonly #options: VerifierOptions;
  /** As the directory said; asked again where a signature is of no known key. */
  readonly #keys = new Map<string, string>();

  constructor(client: Client, options: VerifierOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Rejects with RinglogError where the directory cannot be asked. */
  async check(message: Message): Promise<Verdict> {
    const { signature, actor, idempotencyKey } = message;
    if (!signature || idempotencyKey === undefined) return 'unsigned';
    if (actor === undefined) return 'unknown';
    const known = this.#keys.get(actor);
    if (known !== undefined && (await this.#isBy(known, message))) return 'valid';
    const key = await this.#keyOf(actor);
    if (key === undefined) return 'unknown';
    if (this.#keys.size >= keysMax) this.#keys.clear();
    this.#keys.set(actor, key);
    return key !== known && (await this.#isBy(key, message)) ? 'valid' : 'forged';
  }

  async #keyOf(user: string): Promise<string | undefined> {
    const { keyOf } = this.#options;
    if (keyOf) return keyOf(user);
    try {
      const { publicKey } = (await this.#client.askDirectory('key', { name: user })) as { publicKey: string };
      return publicKey;
    } catch (error) {
      if (error instanceof RinglogError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async #isBy(publicKey: string, message: Message): Promise<boolean> {
    const { event, contentType, headers, bytes: payload, kind, channel } = message;
    const key = fromBase64(publicKey);
    const signature = message.signature!;
    if (!key || !isSoundKey(key) || !isSoundSignature(signature)) return false;
    const signed = signedBytes({
      hub: this.#client.hub,
      channel,
      user: message.actor!,
      publicKey,
      idempotencyKey: message.idempotencyKey!,
      kind: kind === 'publish' ? undefined : (kind as PublishedKind),
      content: {
        payload,
        headers,
        ...(event === undefined ? {} : { event }),
        ...(contentType === undefined ? {} : { contentType }),
      },
    });
    try {
      const imported = await crypto.subtle.importKey('raw', ownBuffer(key), 'Ed25519', false, ['verify']);
      return await crypto.subtle.verify('Ed25519', imported, ownBuffer(signature), ownBuffer(signed));
    } catch (error) {
      // 32 bytes that are no point. What is missing altogether is for the application to know.
      if (error instanceof DOMException && error.name === 'DataError') return false;
      throw error;
    }
  }
}

/** Authors whose keys a verifier has at hand. */
const keysMax = 10_000;

/** Bytes stay what was signed; text is said by its having no type. */
function dataOf(payload: Uint8Array, contentType: string | undefined): unknown {
  return contentType === undefined ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(payload) : payload;
}

function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
