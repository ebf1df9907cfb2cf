/** The engine of a node on this machine. */
import { Engine } from '../engine/engine.js';
import type { Tallies } from '../engine/people/tallies.js';
import type { EnginePorts, LogStore, Observer, Secrets } from '../engine/ports.js';
import type { CalledServices } from './called-services.js';
import type { ClusterPlan } from './cluster.js';
import { type Config, providersOf, ruleConfigOf } from './config.js';
import type { DataDirectory } from './data-directory.js';
import {
  systemBusyShare,
  systemClock,
  systemHashing,
  systemRandom,
  systemTimers,
  systemWorkedMs,
} from './system-ports.js';
import { tokenVerifier } from './tokens.js';
import { packageVersion } from './version.js';

export interface EngineParts {
  readonly config: Config;
  readonly directory: Pick<DataDirectory, 'nodeId' | 'adminToken'>;
  readonly observer: Observer;
  readonly called: Pick<CalledServices, 'authenticator' | 'services'>;
  readonly secrets: Secrets;
  readonly tallies: Tallies;
  /** Left out by one that stays alone. */
  readonly cluster: ClusterPlan | undefined;
  openStore(): Promise<LogStore>;
}

export function makeEngine(parts: EngineParts): Engine {
  const { config, directory, observer, cluster, called, secrets, tallies } = parts;
  const ports: EnginePorts = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    hashing: systemHashing,
    observer,
    authenticator: called.authenticator,
    services: called.services,
    secrets,
    tallies,
    ...(cluster && { peers: cluster.peers, busyShare: systemBusyShare(), workedMs: systemWorkedMs }),
    openStore: () => parts.openStore(),
  };
  return new Engine(ports, {
    nodeId: directory.nodeId,
    version: packageVersion(),
    rules: ruleConfigOf(config),
    anonymous: config.auth.anonymous,
    hubs: { createOnUse: config.createHubs === 'on-use', providers: providersOf(config) },
    verifyToken: tokenVerifier(directory.adminToken),
    session: config.session,
    maintenanceIntervalMs: config.storage.maintenanceIntervalMs,
    documentCacheBytes: config.documents.cacheBytes,
    ...(cluster && { cluster: cluster.options }),
  });
}
