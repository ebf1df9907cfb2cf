/** Calls outside of links: questions to an address, and packets too large for a datagram. */
import type * as grpc from '@grpc/grpc-js';
import { limits } from '../base/limits.js';
import type { Hello } from './hello.js';
import { WrongPeer, calledItself, provenHello } from './proof.js';
import type { Security } from './security.js';
import { helloIn, metadataOf, peerService } from './service.js';

export interface QuestionsParts {
  readonly own: Hello;
  readonly security: Security;
  makeClient(address: string): grpc.Client;
  met(hello: Hello): void;
}

export class Questions {
  readonly #parts: QuestionsParts;
  readonly #clients = new Set<grpc.Client>();

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  ask(address: string, question: Uint8Array): Promise<Uint8Array> {
    return this.#call(address, 'ask', question);
  }

  carry(address: string, packet: Uint8Array): Promise<Uint8Array> {
    return this.#call(address, 'carry', packet);
  }

  stop(): void {
    for (const client of this.#clients) client.close();
  }

  /** One connection a question: they are few, and a connection that stands proves less than a new one. */
  async #call(address: string, method: 'ask' | 'carry', bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#clients.size >= limits.asksMax) throw new Error('too many questions are under way');
    const client = this.#parts.makeClient(address);
    this.#clients.add(client);
    try {
      return await this.#answer(client, method, Buffer.from(bytes));
    } finally {
      this.#clients.delete(client);
      client.close();
    }
  }

  #answer(client: grpc.Client, method: 'ask' | 'carry', bytes: Buffer): Promise<Uint8Array> {
    const { own, security } = this.#parts;
    const { path, requestSerialize, responseDeserialize } = peerService[method];
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        bytes,
        metadataOf(own),
        { deadline: Date.now() + limits.askMs },
        (error, answer) => (error ? reject(error) : resolve(answer!)),
      );
      call.once('metadata', (metadata: grpc.Metadata) => {
        const certificate = call.getAuthContext()?.sslPeerCertificate;
        const proven = provenHello(own, helloIn(metadata), certificate, security, 'answers');
        if (proven.ok) return this.#parts.met(proven.value);
        reject(new WrongPeer(proven.error));
        call.cancel();
      });
    });
  }
}

/** That a node is among the addresses it was given is no fault. */
export function isSelf(error: unknown): boolean {
  return error instanceof Error && error.message.includes(calledItself);
}
