/** The thread beside a node's loop (pulse.ts): says how long ago the loop ran, to nodes that were met, and asks theirs. It ends with
 *  the process, and stands still with it. */
import { randomInt } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { formatAddress, parseAddress } from './addresses.js';
import { Datagrams } from './datagrams.js';
import { type FromThread, type ThreadStart, type ToThread, threadsClockMs } from './pulse.js';
import { type PulseWord, decodePulseWord, encodePulseWord } from './pulse-words.js';
import { packetSeal } from './seal.js';

const { host, port, own, security, beat } = workerData as ThreadStart;
const loop = parentPort!;
const seal = packetSeal(own, security, 'pulses');
/** Questions without an answer, by their numbers. */
const open = new Map<number, { readonly node: NodeId; readonly askedAt: number }>();
const datagrams = await openFree();

/** On the port that was asked for, or any. */
async function openFree(): Promise<Datagrams> {
  try {
    return await Datagrams.open({ host, port }, received);
  } catch {
    return await Datagrams.open({ host, port: 0 }, received);
  }
}

function send(word: PulseWord, address: string): void {
  const sealed = seal.seal(encodePulseWord(word));
  const to = parseAddress(address);
  if (sealed && to) datagrams.send(sealed, to.host, to.port);
}

function received(datagram: Uint8Array, from: string): void {
  const bytes = datagram.length > limits.gossipPacketBytesMax ? undefined : seal.open(datagram);
  const word = bytes && decodePulseWord(bytes);
  if (word?.type === 'question' && word.to === own.node)
    send({ type: 'answer', seq: word.seq, ageMs: threadsClockMs() - Number(Atomics.load(beat, 0)) }, from);
  else if (word?.type === 'answer') answered(word.seq, word.ageMs);
}

/** The way there and back counts to the age. */
function answered(seq: number, ageMs: number): void {
  const question = open.get(seq);
  open.delete(seq);
  const tookMs = threadsClockMs() - (question?.askedAt ?? 0);
  if (question && tookMs <= limits.pulseAnswerMs)
    tell({ type: 'pulse', node: question.node, ageMs: ageMs + tookMs });
}

function ask(node: NodeId, address: string): void {
  const seq = randomInt(2 ** 32);
  if (open.size >= limits.pulsesAskedMax) open.delete(open.keys().next().value!);
  open.set(seq, { node, askedAt: threadsClockMs() });
  send({ type: 'question', seq, to: node }, address);
}

function tell(message: FromThread): void {
  loop.postMessage(message);
}

loop.on('message', (message: ToThread) => {
  if (message.type === 'met') seal.met(message);
  else ask(message.node, formatAddress(message));
});
tell({ type: 'bound', port: datagrams.port });
