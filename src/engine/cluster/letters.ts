/** Messages to peers, gathered: everything due to one peer goes out in one letter at the end of a turn. */
import { ByteWriter } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { PeerMessage } from './peer-messages.js';
import { decodePeerMessages, eachLetter } from './peer-wire.js';
import type { Observer, Peers, Timers } from '../ports.js';

export class Letters {
  readonly #peers: Peers;
  readonly #timers: Timers;
  readonly #observer: Observer;
  readonly #waiting = new Map<NodeId, PeerMessage[]>();
  readonly #linked = new Set<NodeId>();
  /** Used again for every letter: a buffer of its own for each would be most of what a busy node throws away. */
  #out = new ByteWriter();
  #isPlanned = false;

  constructor(peers: Peers, timers: Timers, observer: Observer) {
    this.#peers = peers;
    this.#timers = timers;
    this.#observer = observer;
  }

  get linked(): ReadonlySet<NodeId> {
    return this.#linked;
  }

  begin(peer: NodeId): void {
    this.#linked.add(peer);
  }

  end(peer: NodeId): void {
    this.#linked.delete(peer);
    this.#waiting.delete(peer);
  }

  add(peer: NodeId, message: PeerMessage): void {
    if (!this.#linked.has(peer)) return;
    const waiting = this.#waiting.get(peer);
    if (waiting) waiting.push(message);
    else this.#waiting.set(peer, [message]);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#timers.soon(() => {
      this.#isPlanned = false;
      this.flush();
    });
  }

  /** Writes what is due, earlier than at the end of the turn. */
  flush(): void {
    for (const [peer, messages] of this.#waiting) {
      this.#waiting.delete(peer);
      eachLetter(messages, this.#out, (letter) => this.#peers.send(peer, letter));
    }
    // What one large part took is not kept.
    if (this.#out.buffer.length > 2 * limits.peerLetterBytes) this.#out = new ByteWriter();
  }

  /** What a letter says; nothing, and an alarm, for one that makes no sense. */
  read(peer: NodeId, bytes: Uint8Array): readonly PeerMessage[] {
    const messages = decodePeerMessages(bytes);
    if (messages.ok) return messages.value;
    const message = `A letter of node ${peer} cannot be read: ${messages.error}`;
    this.#observer.observe({ type: 'alarm', code: 'BAD_LETTER', message });
    return [];
  }
}
