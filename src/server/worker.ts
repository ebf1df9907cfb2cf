/** A process that serves clients for a node (workers.ts): an edge node whose connections come from there. It ends with it. */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Engine } from '../engine/engine.js';
import type { Observation } from '../engine/ports.js';
import { type Gateway, startGateway } from '../gateway/http-server.js';
import { openNotesStore } from '../storage/notes-store.js';
import { systemSecrets } from '../services/people/secrets.js';
import { openCluster } from './cluster.js';
import { gatewayOptions } from './gateway-options.js';
import { createLogger, loggingObserver } from './logger.js';
import { makeEngine } from './make-engine.js';
import { openTls } from './tls.js';
import { systemClock, systemRandom } from './system-ports.js';
import { calledServices } from './called-services.js';
import { WorkerTallies } from './worker-tallies.js';
import type { FromWorker, ToWorker, WorkerStart } from './worker-start.js';

interface Served {
  readonly gateway: Gateway;
  stop(): Promise<void>;
}

// Ctrl-C goes to all processes of a terminal: when to end is said by the node.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.exit(0));
process.once('message', (start: WorkerStart) => void run(start));

const tallies = new WorkerTallies((message) => process.send?.(message satisfies FromWorker));

async function run(start: WorkerStart): Promise<void> {
  const now: { served?: Served; isStopping: boolean } = { isStopping: false };
  process.on('message', (message: ToWorker, socket?: Socket) => {
    if (message === 'beat') return tell('beat');
    if (message === 'stop') {
      now.isStopping = true;
      return void (now.served?.stop() ?? Promise.resolve()).finally(() => process.exit(0));
    }
    if (!('connection' in message)) return tallies.received(message);
    tell({ taken: message.connection });
    if (!now.served || now.isStopping) return void socket?.destroy();
    if (!socket) return;
    now.served.gateway.take(socket);
    socket.resume();
  });
  now.served = await serve(start);
}

async function serve({
  config,
  clusterKey,
  adminToken,
  facing,
  administration,
}: WorkerStart): Promise<Served> {
  const logger = createLogger(config.log.level, process.stderr);
  const logging = loggingObserver(logger);
  const observer = {
    observe(observation: Observation) {
      logging.observe(observation);
      if (observation.type === 'node-failed') process.exit(1);
    },
  };
  const node = toHex(systemRandom.bytes(16)) as NodeId;
  const cluster = await openCluster(config, { node, clientAddresses: [], secret: clusterKey, observer });
  const directory = { nodeId: node, adminToken };
  const openStore = async () => openNotesStore(systemRandom);
  const called = calledServices(config, observer);
  const secrets = systemSecrets();
  const engine = makeEngine({
    config,
    directory,
    observer,
    cluster,
    called,
    secrets,
    tallies,
    openStore,
  });
  await engine.start();
  // Nobody is told of this port, and it answers as the public one does.
  const tls = await openTls(config, { warn: (message) => logger.warn({ type: 'certificate' }, message) });
  const own = gatewayOptions(
    config,
    { host: '127.0.0.1', port: 0 },
    logger as unknown as FastifyBaseLogger,
    tls?.material,
  );
  const gateway = await startGateway(
    { ...own, facing, administration },
    { api: engine, clock: systemClock, random: systemRandom },
  );
  tls?.onRenewed((material) => gateway.renew(material));
  void tellReady(engine);
  const stop = async (): Promise<void> => {
    gateway.refuseNew();
    await engine.stop();
    cluster.peers.stop();
    await gateway.stop();
    called.stop();
    tls?.stop();
    await secrets.stop();
  };
  return { gateway, stop };
}

async function tellReady(engine: Engine): Promise<void> {
  while (engine.status().cluster?.looking !== false) await pause(limits.lookEveryMs);
  tell('ready');
}

function tell(message: FromWorker): void {
  process.send?.(message, undefined, {}, () => undefined);
}
