/** One link: a call of gRPC that carries letters both ways, in order, until it ends. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { LinkCall } from './service.js';

export interface LinkHooks {
  received(link: Link, letter: Uint8Array): void;
  ended(link: Link): void;
}

export interface LinkParts {
  readonly peer: NodeId;
  readonly boot: string;
  readonly certificate: Uint8Array | undefined;
  readonly call: LinkCall;
  readonly close: () => void;
}

export class Link {
  readonly peer: NodeId;
  /** Of the process at the other end. */
  readonly boot: string;
  /** What that process has shown, in DER form, where links are sealed. */
  readonly certificate: Uint8Array | undefined;
  readonly #call: LinkCall;
  readonly #close: () => void;
  readonly #hooks: LinkHooks;
  #waitingBytes = 0;
  #isOver = false;

  /** `close` gives up what the call rests on. */
  constructor({ peer, boot, certificate, call, close }: LinkParts, hooks: LinkHooks) {
    this.peer = peer;
    this.boot = boot;
    this.certificate = certificate;
    this.#call = call;
    this.#close = close;
    this.#hooks = hooks;
  }

  /** From now on what comes is heard. */
  begin(): void {
    const call = this.#call;
    call.on('data', (letter: Buffer) => {
      if (!this.#isOver) this.#hooks.received(this, letter);
    });
    for (const event of ['end', 'close', 'error', 'cancelled', 'status']) call.on(event, () => this.#ended());
  }

  /** A letter that cannot be taken breaks the link: none may be missing from it. */
  send(letter: Uint8Array): void {
    if (this.#isOver) return;
    this.#waitingBytes += letter.length;
    const isTooMuch = this.#waitingBytes > limits.linkBytesMax || letter.length > limits.peerFrameBytesMax;
    if (isTooMuch) return this.break();
    const { length } = letter;
    this.#call.write(Buffer.from(letter), () => (this.#waitingBytes -= length));
  }

  /** Ends it; whoever made it is told in a later turn. */
  break(): void {
    if (this.#isOver) return;
    this.silence();
    setImmediate(() => this.#hooks.ended(this));
  }

  /** Ends it, and nobody is told. */
  silence(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.on('error', () => undefined);
    if ('cancel' in this.#call) this.#call.cancel();
    else this.#call.destroy();
    this.#close();
  }

  #ended(): void {
    if (this.#isOver) return;
    this.silence();
    this.#hooks.ended(this);
  }
}
