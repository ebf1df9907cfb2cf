/** Packets as they go over the network, and pulses (pulse.ts).
 *
 *  Sealed: kind (1), sender's node id (16) and boot id (8), counter (6), AES-256-GCM ciphertext, tag (16). The key is the
 *  sender's own, derived from the cluster key, the cluster's name, and both ids, so its counter is a nonce that never comes
 *  twice; what precedes the ciphertext is authenticated with it. Only packets of processes that were met over a proved
 *  connection are opened, each once: what somebody recorded of an earlier process opens nowhere (attack 29 of replays).
 *  Plain, on one machine: kind (1), length (1) and name of the cluster, packet. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { fromHex, toHex, utf8 } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Hello } from './hello.js';
import { ReplayWindow } from './replay-window.js';

/** What is sealed by a thread of its own has its own keys: counters are not shared. */
const uses = {
  packets: { plain: 1, sealed: 2 },
  pulses: { plain: 3, sealed: 4 },
} as const;
type Use = keyof typeof uses;

const nodeAt = 1;
const bootAt = nodeAt + 16;
const counterAt = bootAt + 8;
const contentAt = counterAt + 6;
const tagBytes = 16;
const counterMax = 2 ** 48 - 1;
const cipher = 'aes-256-gcm';

export interface PacketSeal {
  /** As it is sent; `undefined` when nothing may be sent any more. */
  seal(packet: Uint8Array): Uint8Array | undefined;
  /** What was sealed by a process that was met; else `undefined`. */
  open(datagram: Uint8Array): Uint8Array | undefined;
  /** That process runs, and no earlier one of its node. */
  met(hello: Pick<Hello, 'node' | 'boot'>): void;
  /** Nothing of that node is opened until it is met again. */
  shut(node: NodeId): void;
}

/** What of a process its packets are sealed under. */
export type SealedUnder = Pick<Hello, 'cluster' | 'node' | 'boot'>;

/** What of `Security` concerns packets. */
export type PacketSecurity =
  | { readonly kind: 'plain' }
  | { readonly kind: 'sealed'; readonly packetSecret: Uint8Array };

export function packetSeal(own: SealedUnder, security: PacketSecurity, use: Use = 'packets'): PacketSeal {
  return security.kind === 'plain'
    ? new Plain(own.cluster, use)
    : new Sealed(own, security.packetSecret, use);
}

class Plain implements PacketSeal {
  readonly #head: Uint8Array;

  constructor(cluster: string, use: Use) {
    const name = utf8(cluster);
    this.#head = Uint8Array.of(uses[use].plain, name.length, ...name);
  }

  seal(packet: Uint8Array): Uint8Array {
    return Buffer.concat([this.#head, packet]);
  }

  open(datagram: Uint8Array): Uint8Array | undefined {
    const isOurs = Buffer.compare(datagram.subarray(0, this.#head.length), this.#head) === 0;
    return isOurs ? datagram.slice(this.#head.length) : undefined;
  }

  met(): void {}

  shut(): void {}
}

interface Sender {
  readonly boot: string;
  readonly key: Buffer;
  readonly window: ReplayWindow;
  isShut: boolean;
}

class Sealed implements PacketSeal {
  readonly #cluster: string;
  readonly #secret: Uint8Array;
  readonly #use: Use;
  readonly #key: Buffer;
  readonly #head: Buffer;
  readonly #senders = new Map<NodeId, Sender>();
  #counter = 0;

  constructor({ cluster, node, boot }: SealedUnder, secret: Uint8Array, use: Use) {
    this.#cluster = cluster;
    this.#secret = secret;
    this.#use = use;
    this.#key = this.#keyOf(node, boot);
    this.#head = Buffer.alloc(contentAt);
    this.#head[0] = uses[use].sealed;
    this.#head.set(fromHex(node), nodeAt);
    this.#head.set(fromHex(boot), bootAt);
  }

  seal(packet: Uint8Array): Uint8Array | undefined {
    if (this.#counter >= counterMax) return undefined;
    const head = this.#head;
    head.writeUIntBE(this.#counter++, counterAt, 6);
    const sealing = createCipheriv(cipher, this.#key, nonceOf(head)).setAAD(head);
    return Buffer.concat([head, sealing.update(packet), sealing.final(), sealing.getAuthTag()]);
  }

  open(datagram: Uint8Array): Uint8Array | undefined {
    const length = datagram.length - contentAt - tagBytes;
    if (datagram[0] !== uses[this.#use].sealed || length < 0) return undefined;
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
    const sender = this.#senders.get(toHex(bytes.subarray(nodeAt, bootAt)) as NodeId);
    if (sender?.boot !== toHex(bytes.subarray(bootAt, counterAt)) || sender.isShut) return undefined;
    const head = bytes.subarray(0, contentAt);
    const opening = createDecipheriv(cipher, sender.key, nonceOf(head), { authTagLength: tagBytes })
      .setAAD(head)
      .setAuthTag(bytes.subarray(-tagBytes));
    const packet = opening.update(bytes.subarray(contentAt, contentAt + length));
    try {
      opening.final();
    } catch {
      return undefined;
    }
    return sender.window.take(bytes.readUIntBE(counterAt, 6)) ? packet : undefined;
  }

  met({ node, boot }: Pick<Hello, 'node' | 'boot'>): void {
    const known = this.#senders.get(node);
    if (known?.boot === boot) {
      known.isShut = false;
      return;
    }
    // Whoever speaks next is met again before.
    this.#senders.delete(node);
    if (this.#senders.size >= limits.membersMax) this.#senders.delete(this.#senders.keys().next().value!);
    this.#senders.set(node, {
      boot,
      key: this.#keyOf(node, boot),
      window: new ReplayWindow(),
      isShut: false,
    });
  }

  /** What it has sent already stays known: it opens no second time. */
  shut(node: NodeId): void {
    const known = this.#senders.get(node);
    if (known) known.isShut = true;
  }

  #keyOf(node: NodeId, boot: string): Buffer {
    const info = `${this.#use} of ${this.#cluster}/${node}/${boot}`;
    return Buffer.from(hkdfSync('sha256', this.#secret, 'ringlog', info, 32));
  }
}

/** 12 bytes: the counter, with zeroes before it. */
function nonceOf(head: Uint8Array): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.set(head.subarray(counterAt, contentAt), 6);
  return nonce;
}
