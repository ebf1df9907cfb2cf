/** One attempt to make a link: a call that is answered with who answers, in time, or fails. */
import type * as grpc from '@grpc/grpc-js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Timers } from '../engine/ports.js';
import type { Hello } from './hello.js';
import { WrongPeer, provenHello } from './proof.js';
import type { Security } from './security.js';
import { helloIn, metadataOf, peerService } from './service.js';

export interface DialOptions {
  readonly peer: NodeId;
  readonly address: string;
  readonly own: Hello;
  readonly security: Security;
  readonly timers: Timers;
  makeClient(address: string): grpc.Client;
}

export interface Dialed {
  readonly hello: Hello;
  /** As it was shown, in DER form. */
  readonly certificate: Uint8Array | undefined;
  readonly call: grpc.ClientDuplexStream<Buffer, Buffer>;
  close(): void;
}

export class Dial {
  readonly #client: grpc.Client;
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly #cancelLate: () => void;
  #isOver = false;

  /** One of the two is called, once, in a later turn; neither after `giveUp`. */
  constructor(options: DialOptions, done: (dialed: Dialed) => void, failed: (error: unknown) => void) {
    const { peer, address, own, security, timers } = options;
    const { path, requestSerialize, responseDeserialize } = peerService.link;
    const client = options.makeClient(address);
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf(own));
    this.#client = client;
    this.#call = call;
    const fail = (error: unknown): void => {
      if (this.#isOver) return;
      this.giveUp();
      failed(error);
    };
    this.#cancelLate = timers.after(limits.linkHelloMs, () => fail(new Error('no answer in time')));
    call.on('error', fail);
    call.once('end', () => fail(new Error('the other side ended the call')));
    call.once('metadata', (metadata: grpc.Metadata) => {
      if (this.#isOver) return;
      const certificate = call.getAuthContext()?.sslPeerCertificate;
      const proven = provenHello(own, helloIn(metadata), certificate, security, 'answers');
      if (!proven.ok) return fail(new WrongPeer(proven.error));
      const hello = proven.value;
      if (hello.node !== peer) {
        const wrong = `It is node ${hello.node} by now, and was ${peer}: if the disk of that one is gone, ringlog node remove ${peer}.`;
        return fail(new WrongPeer(wrong));
      }
      this.#isOver = true;
      this.#cancelLate();
      done({ hello, certificate: certificate?.raw, call, close: () => client.close() });
    });
  }

  giveUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelLate();
    this.#call.cancel();
    this.#client.close();
  }
}
