/** What a node calls outside because settings of hubs say so: authentication providers and services. */
import type { Authenticator, Observer, ServiceCalls } from '../engine/ports.js';
import { HttpServices } from '../services/rpc/http-services.js';
import type { Config } from './config-schema.js';
import { systemClock } from './system-ports.js';

export interface CalledServices {
  readonly authenticator: Authenticator;
  readonly services: ServiceCalls;
  stop(): void;
}

export function calledServices(config: Config, observer: Observer): CalledServices {
  const ports = { clock: systemClock, observer };
  // Loaded when the first hub needs it: what checks signatures takes a while, and many nodes serve no hub that has a provider.
  const load = async () => {
    const { Providers } = await import('../services/auth/authenticator.js');
    return new Providers({ ...ports, internalOrigins: config.auth.internalOrigins });
  };
  let loading: ReturnType<typeof load> | undefined;
  const services = new HttpServices({ ...ports, internalOrigins: config.rpc.internalOrigins });
  return {
    authenticator: {
      identify: async (providers, check) => (await (loading ??= load())).identify(providers, check),
    },
    services,
    stop: () => {
      services.stop();
      void loading?.then((providers) => providers.stop());
    },
  };
}
