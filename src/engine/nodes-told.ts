/** What sessions are told of the cluster's other nodes: kept as frames that all of them share, and told again only when it
 *  is another. */
import { hostOfUrl, isLoopback } from '../base/loopback.js';
import { limits } from '../base/limits.js';
import type { Encoding } from '../protocol/messages.js';
import { encodeServerFrame } from '../protocol/server-encoder.js';
import type { Session } from '../sessions/session.js';
import type { SessionFrame } from '../sessions/subscriber.js';

export class NodesTold {
  /** 0 until there is anything to tell. */
  version = 0;
  #urls: readonly string[] = [];
  #spreadMs = 0;
  readonly #frames = new Map<string, SessionFrame>();

  /** `urls`: of the others that serve clients now; `sessions`: how many there are here. */
  look(urls: readonly string[], sessions: number): void {
    const spreadMs = spreadOf(sessions);
    const isSame = urls.length === this.#urls.length && urls.every((url, i) => url === this.#urls[i]);
    // How long to spread matters to nobody who has nowhere to go.
    if (isSame && (spreadMs === this.#spreadMs || urls.length === 0)) return;
    this.version++;
    this.#urls = urls;
    this.#spreadMs = spreadMs;
    this.#frames.clear();
  }

  /** True where the session may know and does not yet: it has something to write. */
  tell(session: Session): boolean {
    if (session.nodesTold === this.version || session.closed || !session.admitted) return false;
    session.nodesTold = this.version;
    session.push(this.frame(session.encoding, session.isLocal));
    return true;
  }

  /** `isLocal`: the session came by loopback, so that addresses of this machine lead it to its nodes. */
  frame(encoding: Encoding, isLocal: boolean): SessionFrame {
    const key = `${encoding} ${isLocal}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      const urls = this.#urls.filter((url) => isLocal || !isLoopback(hostOfUrl(url)));
      const message = { type: 'nodes', urls, spreadMs: this.#spreadMs } as const;
      frame = { bytes: encodeServerFrame(encoding, [{ requestId: 0, message }]), isShared: true };
      this.#frames.set(key, frame);
    }
    return frame;
  }
}

function spreadOf(sessions: number): number {
  const { movesPerMs, moveSpreadMsMin, moveSpreadMsMax } = limits;
  const needed = 2 ** Math.ceil(Math.log2(Math.max(1, sessions / movesPerMs)));
  return Math.min(moveSpreadMsMax, Math.max(moveSpreadMsMin, needed));
}
