/** A process that loads one server; the same one for all cells of a kind, so that it is warm. */
import { kindOf } from '../../src/channels/kinds.js';
import type { Conversation, Speaker } from '../../src/cli/bench/conversation.js';
import { runFanOutLoad } from '../../src/cli/bench/fan-out-load.js';
import { Link } from '../../src/cli/bench/link.js';
import type { Duration } from '../../src/cli/bench/measuring.js';
import { inFlightOf, runPublishLoad } from '../../src/cli/bench/publish-load.js';
import { RinglogListener, RinglogSpeaker } from '../../src/cli/bench/ringlog-conversation.js';
import { FloorListener, FloorSpeaker } from '../floors/floor-conversation.js';
import { NatsListener, NatsSpeaker } from '../peers/nats-conversation.js';
import { RedisSpeaker } from '../peers/redis-conversation.js';
import { ownProcessorSeconds } from '../processes/processor-time.js';
import { serveJobs } from '../processes/worker.js';
import { DocumentOfNode, patchOf } from './bench-document.js';
import { fillDocument, loadMany, patchDocument } from './document-load.js';
import { fill } from './fill.js';
import type {
  FanOutJob,
  FillJob,
  IdleJob,
  LoadJob,
  LoadReport,
  Peer,
  PublishJob,
  ReplayJob,
  TimedJob,
} from './jobs.js';
import { Meter } from './meter.js';
import { presenceCrowd } from './presence-crowd.js';
import { replay } from './replay.js';

const hub = 'default';
let runs = 0;
const idle: Link<Conversation>[] = [];

serveJobs<LoadJob, LoadReport>((job) => {
  runs++;
  switch (job.type) {
    case 'publish':
      return publish(job);
    case 'fan-out':
      return fanOut(job);
    case 'fill':
      return fillChannels(job);
    case 'patch':
      return patchDocument(job, channelName('patch', 'doc:'));
    case 'fill-document':
      return fillDocument(job);
    case 'many':
      return loadMany(job);
    case 'replay':
      return replayChannel(job);
    case 'idle':
      return openIdle(job);
    case 'presence':
      return presenceCrowd(job);
  }
});

async function publish(job: PublishJob): Promise<LoadReport> {
  const { inFlight, connections, perFrame, payloadBytes } = job;
  const channelOf = (i: number) =>
    job.channel ?? channelName(job.channels === 'own' ? `publish-${i}` : 'publish');
  const speakers = Array.from({ length: connections }, (_, i) =>
    speakerFor(job.peer, { channel: channelOf(i), perFrame, payloadBytes, inFlight, path: '/' }),
  );
  const meter = new Meter(job.serverPids);
  const load = { speakers, inFlight, ...durationOf(job, meter) };
  const result = await runPublishLoad(load);
  return { ...result, inFlight: inFlightOf(load), ...meter.read() };
}

async function fanOut(job: FanOutJob): Promise<LoadReport> {
  const { payloadBytes, pace } = job;
  const inFlight = 'inFlight' in pace ? pace.inFlight : 1_024;
  const channel = channelName('fan-out', job.document ? 'doc:' : undefined);
  const document = job.document ? new DocumentOfNode(job.peer.url, channel) : undefined;
  await document?.begin(payloadBytes);
  const listeners = Array.from({ length: job.listeners }, () => listenerFor(job.peer, channel, payloadBytes));
  const speaker = speakerFor(job.peer, { channel, perFrame: 1, payloadBytes, inFlight, path: '/pub' });
  const meter = new Meter(job.serverPids);
  const result = await runFanOutLoad({ speaker, listeners, pace, ...durationOf(job, meter) });
  await document?.verify(result.messagesInAll, result.messagesInAll);
  return { ...result, inFlight: result.messagesInAll, ...meter.read() };
}

function durationOf({ warmUpMs, measureMs }: TimedJob, { onEdge }: Meter): Duration {
  return { warmUpMs, measureMs, onEdge };
}

async function fillChannels(job: FillJob): Promise<LoadReport> {
  const { url, name, entries, perFrame, inFlight, payloadBytes } = job;
  const channels = Array.from({ length: job.channels }, (_, i) => `bench:${name}-${i}`);
  const processorBefore = ownProcessorSeconds();
  const begun = performance.now();
  await fill({ url, hub, channels, entries, perFrame, inFlight, payloadBytes });
  return {
    operations: entries,
    operationsInAll: entries,
    seconds: (performance.now() - begun) / 1_000,
    inFlight,
    loadSeconds: ownProcessorSeconds() - processorBefore,
  };
}

async function replayChannel({ url, serverPids, name, entries, reader }: ReplayJob): Promise<LoadReport> {
  const meter = new Meter(serverPids);
  const options = { url, hub, channel: `bench:${name}-0`, entries, onEdge: meter.onEdge };
  const seconds = await replay(reader, options);
  return { operations: entries, operationsInAll: entries, seconds, inFlight: 0, ...meter.read() };
}

async function openIdle({ peer, connections, channels }: IdleJob): Promise<LoadReport> {
  const processorBefore = ownProcessorSeconds();
  const begun = performance.now();
  if (connections === 0) for (const link of idle.splice(0)) link.close();
  const first = idle.length;
  const listeners = Array.from({ length: connections }, (_, i) =>
    listenerFor(peer, channels === 'own' ? `bench:idle-${first + i}` : 'bench:idle', 0),
  );
  const failed = (error: Error) => {
    throw error;
  };
  idle.push(...(await Link.openAll(listeners, () => ({ taken() {}, turn() {}, failed }))));
  return {
    operations: connections,
    operationsInAll: idle.length,
    seconds: (performance.now() - begun) / 1_000,
    inFlight: 0,
    loadSeconds: ownProcessorSeconds() - processorBefore,
  };
}

/** New for each run: what earlier ones stored is not to be delivered, and not to make a log longer and longer. */
function channelName(name: string, prefix = 'bench:'): string {
  return `${prefix}${name}-${process.pid}-${runs}`;
}

interface SpeakerOptions {
  readonly channel: string;
  readonly perFrame: number;
  readonly payloadBytes: number;
  readonly inFlight: number;
  /** Of a floor. */
  readonly path: string;
}

function speakerFor(peer: Peer, options: SpeakerOptions): Speaker {
  const { channel, perFrame, payloadBytes, inFlight, path } = options;
  switch (peer.kind) {
    case 'ws':
      return new FloorSpeaker(`${peer.url}${path}`, payloadBytes);
    case 'redis':
      return new RedisSpeaker(peer.url, { channel, payloadBytes });
    case 'nats':
      return new NatsSpeaker(peer.url, { subject: channel, payloadBytes });
    case 'ringlog':
      return new RinglogSpeaker(
        { url: peer.url, hub },
        {
          channels: [channel],
          publishesPerFrame: perFrame,
          payloadBytes,
          inFlight,
          ...(peer.signals === true && { level: 'memory' }),
          ...(kindOf(channel) === 'document' && { patchOf: (change) => patchOf(change, payloadBytes) }),
        },
      );
  }
}

function listenerFor(peer: Peer, channel: string, payloadBytes: number): Conversation {
  switch (peer.kind) {
    case 'ws':
      return new FloorListener(`${peer.url}/sub`, payloadBytes);
    case 'redis':
      throw new Error('nobody listens to Redis here');
    case 'nats':
      return new NatsListener(peer.url, { subject: channel, payloadBytes });
    case 'ringlog':
      return new RinglogListener({ url: peer.url, hub }, [channel]);
  }
}
