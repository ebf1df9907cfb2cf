/** The thread of a node's packets (packets.ts): it seals and opens them, hands them to the node, and answers the probes that the
 *  node does not come to, as long as the node has run lately. A node that does nothing any more is not answered for. */
import { parentPort, workerData } from 'node:worker_threads';
import { limits } from '../base/limits.js';
import { parseAddress } from './addresses.js';
import { Datagrams } from './datagrams.js';
import { type FromThread, type ThreadStart, type ToThread, progressAt, threadsClockMs } from './packets.js';
import { type Progress, ProbeAnswers } from './probe-answers.js';
import { packetSeal } from './seal.js';

const { at, own, security, progress } = workerData as ThreadStart;
const node = parentPort!;
const seal = packetSeal(own, security);
const answers = new ProbeAnswers(own.node);
let number = 0;
let datagrams: Datagrams | undefined;

function tell(message: FromThread): void {
  node.postMessage(message);
}

function send(packet: Uint8Array, ip: string, port: number): void {
  const sealed = seal.seal(packet);
  if (sealed) datagrams?.send(sealed, ip, port);
}

/** Its numbers are modulo 2^31, these are near the present ones. */
function progressOf(now: number): Progress {
  const ranMs = (now % 2 ** 31) - Atomics.load(progress, progressAt.ran);
  const behind = (number - Atomics.load(progress, progressAt.taken)) | 0;
  return { ranAt: now - (ranMs < 0 ? ranMs + 2 ** 31 : ranMs), taken: number - behind };
}

function received(datagram: Uint8Array, from: string): void {
  const packet = datagram.length > limits.gossipPacketBytesMax ? undefined : seal.open(datagram);
  if (!packet) return;
  const now = threadsClockMs();
  if (number - progressOf(now).taken >= limits.packetsWaitingMax) return;
  number = (number + 1) | 0;
  if (answers.received(packet, from, number, now)) setTimeout(answer, limits.probeLateMs);
  tell({ type: 'packet', packet, from, number });
}

function answer(): void {
  const now = threadsClockMs();
  for (const { packet, address } of answers.due(now, progressOf(now), Date.now())) {
    const to = parseAddress(address);
    if (to) send(packet, to.host, to.port);
  }
}

node.on('message', (message: ToThread) => {
  if (message.type === 'met') return seal.met(message.hello);
  if (message.type === 'send') {
    answers.sent(message.packet);
    return send(message.packet, message.ip, message.port);
  }
  datagrams?.close();
  node.close();
});

try {
  datagrams = await Datagrams.open(at, received);
  tell({ type: 'bound' });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  tell({ type: 'refused', code, message });
  node.close();
}
