/** What a node that was away is given goes over the same link as claims: these come through beside it (docs/decisions/0018). */
import { afterEach, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { PeerPort } from '../../src/peer/peer-port.js';
import { becomes, openPort, sealed, someKey, someNode } from './support.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const key = someKey();
/** Of everything that one node may have on its way to another: pages that it pushes, and answers to what is pulled. */
const onTheWayMax = limits.pushedPagesMax + limits.pullsMax;
const pagesInAll = 10 * onTheWayMax;
const kinds = { page: 1, taken: 2, claim: 3, granted: 4 } as const;

type Heard = (from: NodeId, letter: Uint8Array) => void;

async function openMember(
  node: NodeId,
): Promise<{ port: PeerPort; linked: Set<NodeId>; hear(heard: Heard): void }> {
  const port = await openPort(node, await sealed(key, node));
  closers.push(() => port.stop());
  const linked = new Set<NodeId>();
  let heard: Heard = () => undefined;
  port.start({
    linked: (peer) => void linked.add(peer),
    unlinked: (peer) => void linked.delete(peer),
    received: (from, letter) => heard(from, letter),
    packet: () => undefined,
    asked: (question) => question,
    pulse: () => undefined,
  });
  return { port, linked, hear: (next) => void (heard = next) };
}

test.each([
  ['smaller', '0', 'f'],
  ['larger', 'f', '0'],
])(
  'a claim is granted while large entries are caught up from the node of the %s id',
  async (_id, first, second) => {
    const full = await openMember(`${first}${someNode().slice(1)}` as NodeId);
    const behind = await openMember(`${second}${someNode().slice(1)}` as NodeId);
    const [at, to] = [full.port.own, behind.port.own];
    full.port.keepLinks(new Map([[to.node, to.address]]));
    behind.port.keepLinks(new Map([[at.node, at.address]]));
    await becomes(() => full.linked.size === 1 && behind.linked.size === 1);

    // The next page goes once one was taken, as in replication/pages.ts.
    let sent = 0;
    const page = new Uint8Array(limits.peerReadBytes).fill(kinds.page);
    const sendPage = (): void => {
      if (sent++ < pagesInAll) full.port.send(to.node, page);
    };
    full.hear((from, letter) => {
      if (letter[0] === kinds.taken) sendPage();
      else full.port.send(from, Uint8Array.of(kinds.granted));
    });
    let pages = 0;
    let claimedAt = 0;
    /** Pages that came between a claim and its answer. */
    const waited: number[] = [];
    const claim = (): void => {
      claimedAt = pages;
      behind.port.send(at.node, Uint8Array.of(kinds.claim));
    };
    behind.hear((from, letter) => {
      if (letter[0] === kinds.page) {
        pages++;
        return behind.port.send(from, Uint8Array.of(kinds.taken));
      }
      waited.push(pages - claimedAt);
      if (pages < pagesInAll) claim();
    });
    for (let i = 0; i < onTheWayMax; i++) sendPage();
    claim();
    await becomes(() => pages === pagesInAll && waited.length > 0, 60_000);
    // What is behind the claim on its way is no more than what goes out before its answer does.
    expect(Math.max(...waited)).toBeLessThanOrEqual(2 * onTheWayMax);
    expect(waited.length).toBeGreaterThanOrEqual(pagesInAll / (2 * onTheWayMax));
    expect([full.linked.size, behind.linked.size]).toEqual([1, 1]);
  },
);
