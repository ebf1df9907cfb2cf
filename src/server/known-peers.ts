/** Where the other nodes were found, over a restart: a node that was given no address, and is called by none, would know nobody. The
 *  addresses are tried and nothing more: who answers there is proved when it is called, as with any other address. */
import { join } from 'node:path';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { NodeApi } from '../engine/api.js';
import type { Timers } from '../engine/ports.js';
import { parseAddress } from '../peer/addresses.js';
import { readIfThere, writeDurably } from './data-directory.js';

export const knownPeersFile = 'peers.json';
const lookMs = 5_000;

export interface KnownPeersParts {
  readonly directory: string;
  readonly self: NodeId;
  readonly node: Pick<NodeApi, 'status' | 'cluster'>;
  readonly timers: Timers;
}

export class KnownPeers {
  readonly #parts: KnownPeersParts;
  #written: string;
  #cancel: () => void = () => {};
  #isStopped = false;

  private constructor(parts: KnownPeersParts, written: readonly string[]) {
    this.#parts = parts;
    this.#written = written.join();
    this.#again();
  }

  /** Tries those of the life before, and keeps those of this one. */
  static async open(parts: KnownPeersParts): Promise<KnownPeers> {
    const known = addressesIn(await readIfThere(join(parts.directory, knownPeersFile)));
    if (known.length > 0) parts.node.cluster?.learn(known);
    return new KnownPeers(parts, known);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #again(): void {
    if (!this.#isStopped) this.#cancel = this.#parts.timers.after(lookMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const found = this.#found();
    const text = found.join();
    // Who sees nobody has learned nothing: what it knew still helps.
    if (found.length > 0 && text !== this.#written) {
      const { directory } = this.#parts;
      const kept = `${JSON.stringify({ format: 1, addresses: found }, null, 2)}\n`;
      // On a full disk, for example: what stands there is older, and the next look tries again.
      const isWritten = await writeDurably(directory, knownPeersFile, kept).then(
        () => true,
        () => false,
      );
      if (isWritten) this.#written = text;
    }
    this.#again();
  }

  /** Of the ring's members, also of those that are away: all may have stopped, one after the other. */
  #found(): readonly string[] {
    const { node, self } = this.#parts;
    const members = new Set(node.cluster?.ring().members.map((member) => member.node));
    const seen = node.status().cluster?.members ?? [];
    return seen
      .filter((each) => each.node !== self && members.has(each.node))
      .map(({ address }) => address)
      .sort()
      .slice(0, limits.knownAddressesMax);
  }
}

/** Nothing of what is none: a file that is damaged is as good as one that is not there. */
function addressesIn(text: string | undefined): readonly string[] {
  try {
    const { addresses } = JSON.parse(text ?? '{}') as { readonly addresses?: unknown };
    if (!Array.isArray(addresses)) return [];
    return addresses
      .filter((each): each is string => typeof each === 'string' && parseAddress(each) !== undefined)
      .slice(0, limits.knownAddressesMax);
  } catch {
    return [];
  }
}
