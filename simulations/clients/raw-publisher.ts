/** A publisher that writes the frames itself. What it does about lines without an answer when the connection falls is
 *  what tells the kinds apart. */
import { PlaceSeeds } from '../checkers/record.js';
import { type Line, type LoadPublisher, type PublisherOptions, nextLine, waitingMax } from './publisher.js';
import { RawConnection } from './raw-connection.js';
import {
  type RawAck,
  type RawError,
  authEnvelope,
  decodeServerFrame,
  frameOf,
  levelNames,
  pongEnvelope,
  publishEnvelope,
} from './raw-frames.js';

export interface RawPublisherOptions extends PublisherOptions {
  /** `plain`: never sends again. `keyed`: sends again with the same idempotency key. `numbered`: that, and every line
   *  has the publisher's number. */
  readonly kind: 'plain' | 'keyed' | 'numbered';
  /** Lines of one burst that go into one frame. */
  readonly linesPerFrame: number;
  readonly seed: number;
}

/** Ids of publishes; the id of Auth is above them all. */
const authRequest = 0xffff_ffff;

export class RawPublisher implements LoadPublisher {
  readonly #options: RawPublisherOptions;
  readonly #connection: RawConnection;
  readonly #seeds = new PlaceSeeds();
  /** By request id, in the order in which they were sent. */
  readonly #waiting = new Map<number, Line>();
  #requests = 0;
  #ackedThrough = 0;

  constructor(options: RawPublisherOptions) {
    this.#options = options;
    this.#connection = new RawConnection(options.url, options.hub, options.seed, {
      opened: () => this.#opened(),
      frame: (bytes) => this.#decode(bytes),
      lost: () => {
        if (options.kind === 'plain') this.#waiting.clear();
      },
      stalled: () => options.onProblem(`${options.name}: connected, and then there was silence`),
    });
  }

  get name(): string {
    return this.#options.name;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  burst(lines: number): void {
    if (!this.#connection.isOpen) return;
    const envelopes: Buffer[] = [];
    for (let i = 0; i < lines && this.#waiting.size < waitingMax; i++) {
      const requestId = ++this.#requests;
      const line = nextLine(this.#options);
      this.#waiting.set(requestId, line);
      envelopes.push(this.#envelopeOf(requestId, line));
    }
    this.#send(envelopes);
  }

  close(): void {
    this.#connection.close();
  }

  /** Made anew each time it is sent: a node that does not know the publisher goes by how far it was acked. */
  #envelopeOf(requestId: number, { line, payload }: Line): Buffer {
    const { kind, channel, name } = this.#options;
    return publishEnvelope(requestId, {
      channel,
      event: 'load',
      payload,
      ...(kind !== 'plain' && { idempotencyKey: `${name}-${line}` }),
      // Every line goes to one channel, so the request's number is the publisher's number there.
      ...(kind === 'numbered' && { publisherSeq: requestId, ackedThrough: this.#ackedThrough }),
    });
  }

  #send(envelopes: readonly Buffer[]): void {
    const { linesPerFrame } = this.#options;
    for (let i = 0; i < envelopes.length; i += linesPerFrame)
      this.#connection.send(frameOf(envelopes.slice(i, i + linesPerFrame)));
  }

  #opened(): void {
    const { kind, name } = this.#options;
    if (kind === 'numbered')
      this.#connection.send(frameOf([authEnvelope(authRequest, { id: name, epoch: 1 })]));
    this.#send([...this.#waiting].map(([requestId, line]) => this.#envelopeOf(requestId, line)));
  }

  #decode(bytes: Buffer): void {
    const unexpected = (what: string) =>
      this.#options.onProblem(`${this.name}: ${what} for nothing it asked`);
    decodeServerFrame(bytes, this.#options.hub, this.#seeds, {
      ack: (ack) => this.#acked(ack),
      error: (error) => this.#failed(error),
      ping: () => void this.#connection.send(frameOf([pongEnvelope()])),
      entry: () => unexpected('a delivery'),
      gap: () => unexpected('a gap'),
      subscribed: () => unexpected('a subscription'),
    });
  }

  #acked({ requestId, writer, seq, level, count }: RawAck): void {
    if (levelNames[level] !== 'quorum')
      this.#options.onProblem(`${this.name}: acknowledged at level ${levelNames[level] ?? level}`);
    for (let i = 0; i < count; i++) {
      const waiting = this.#waiting.get(requestId + i);
      if (!waiting) {
        this.#options.onProblem(`${this.name}: an ack of request ${requestId + i}, which waits for none`);
        continue;
      }
      this.#waiting.delete(requestId + i);
      this.#ackedThrough = Math.max(this.#ackedThrough, requestId + i);
      this.#options.ledger.ack(waiting.line, { writer, seq: seq + i });
    }
  }

  #failed({ requestId, code, indeterminate, message }: RawError): void {
    const waiting = this.#waiting.get(requestId);
    // It says so of itself when it stops; what waits is sent again on the next connection.
    if (!waiting || code === 'SHUTTING_DOWN') return;
    this.#options.onProblem(`${this.name}: ${code}: ${message}`);
    if (this.#options.kind === 'numbered') return;
    this.#waiting.delete(requestId);
    if (!indeterminate) this.#options.ledger.reject(waiting.line);
  }
}
