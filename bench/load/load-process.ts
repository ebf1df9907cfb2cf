/** A process that loads one server; the same one for all cells of a kind, so that it is warm. */
import type { Conversation, Speaker } from '../../src/cli/bench/conversation.js';
import { runFanOutLoad } from '../../src/cli/bench/fan-out-load.js';
import { inFlightOf, runPublishLoad } from '../../src/cli/bench/publish-load.js';
import { RinglogListener, RinglogSpeaker } from '../../src/cli/bench/ringlog-conversation.js';
import { FloorListener, FloorSpeaker } from '../floors/floor-conversation.js';
import {
  machineProcessorSeconds,
  ownProcessorSeconds,
  processorSeconds,
} from '../processes/processor-time.js';
import { serveJobs } from '../processes/worker.js';
import type { FanOutJob, LoadJob, LoadReport, Peer, PublishJob } from './jobs.js';

const hub = 'default';
let runs = 0;

serveJobs<LoadJob, LoadReport>((job) => {
  runs++;
  return job.type === 'publish' ? publish(job) : fanOut(job);
});

async function publish(job: PublishJob): Promise<LoadReport> {
  const { inFlight, connections, perFrame, payloadBytes } = job;
  const channelOf = (i: number) => channelName(job.channels === 'own' ? `publish-${i}` : 'publish');
  const speakers = Array.from({ length: connections }, (_, i) =>
    speakerFor(job.peer, { channel: channelOf(i), perFrame, payloadBytes, inFlight, path: '/' }),
  );
  const meter = new Meter(job.serverPid);
  const load = { speakers, inFlight, ...meter.during(job) };
  const result = await runPublishLoad(load);
  return { ...result, inFlight: inFlightOf(load), ...meter.read() };
}

async function fanOut(job: FanOutJob): Promise<LoadReport> {
  const { payloadBytes, pace } = job;
  const inFlight = 'inFlight' in pace ? pace.inFlight : 1_024;
  const channel = channelName('fan-out');
  const listeners = Array.from({ length: job.listeners }, () => listenerFor(job.peer, channel, payloadBytes));
  const speaker = speakerFor(job.peer, { channel, perFrame: 1, payloadBytes, inFlight, path: '/pub' });
  const meter = new Meter(job.serverPid);
  const result = await runFanOutLoad({ speaker, listeners, pace, ...meter.during(job) });
  return { ...result, inFlight: result.messagesInAll, ...meter.read() };
}

/** New for each run: what earlier ones stored is not to be delivered, and not to make a log longer and longer. */
function channelName(name: string): string {
  return `bench:${name}-${process.pid}-${runs}`;
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
    case 'ringlog':
      return new RinglogSpeaker(
        { url: peer.url, hub },
        {
          channels: [channel],
          publishesPerFrame: perFrame,
          payloadBytes,
          inFlight,
          ...(peer.signals === true && { level: 'memory' }),
        },
      );
  }
}

function listenerFor(peer: Peer, channel: string, payloadBytes: number): Conversation {
  switch (peer.kind) {
    case 'ws':
      return new FloorListener(`${peer.url}/sub`, payloadBytes);
    case 'ringlog':
      return new RinglogListener({ url: peer.url, hub }, channel);
  }
}

/** Reads processor times where the part that counts begins and ends. */
class Meter {
  readonly #pid: number;
  #begin = { load: 0, server: 0 as number | undefined, machine: 0 as number | undefined };
  #end = this.#begin;

  constructor(pid: number) {
    this.#pid = pid;
  }

  during({ warmUpMs, measureMs }: LoadJob) {
    const onEdge = (edge: 'begin' | 'end') => {
      const times = {
        load: ownProcessorSeconds(),
        server: processorSeconds(this.#pid),
        machine: machineProcessorSeconds(),
      };
      if (edge === 'begin') this.#begin = times;
      else this.#end = times;
    };
    return { warmUpMs, measureMs, onEdge };
  }

  read(): Pick<LoadReport, 'loadSeconds' | 'serverSeconds' | 'machineSeconds'> {
    const [begin, end] = [this.#begin, this.#end];
    return {
      loadSeconds: end.load - begin.load,
      ...(end.server !== undefined && { serverSeconds: end.server - begin.server! }),
      ...(end.machine !== undefined && { machineSeconds: end.machine - begin.machine! }),
    };
  }
}
