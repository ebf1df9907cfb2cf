/** What people should know of other nodes, each once in a while however often it happens. */
import { limits } from '../base/limits.js';
import type { Clock, Observer } from '../engine/ports.js';

export class Notices {
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #toldAt = new Map<string, number>();

  constructor(clock: Clock, observer: Observer) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** `about`: what is told of it once in a while, where the message varies. */
  tell(code: string, message: string, about = message): void {
    const now = this.#clock.monotonicMs();
    const last = this.#toldAt.get(about);
    if (last !== undefined && now - last < limits.peerNoticeMs) return;
    this.#toldAt.delete(about);
    if (this.#toldAt.size >= limits.peerNoticesMax) this.#toldAt.delete(this.#toldAt.keys().next().value!);
    this.#toldAt.set(about, now);
    this.#observer.observe({ type: 'alarm', code, message });
  }
}
