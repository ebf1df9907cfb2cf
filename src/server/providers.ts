/** The authentication of hubs, loaded when the first hub needs it: what checks signatures takes a while to load, and many nodes
 *  serve no hub that has a provider. */
import type { Authenticator, Observer } from '../engine/ports.js';
import type { Config } from './config-schema.js';
import { systemClock } from './system-ports.js';

export interface LazyProviders extends Authenticator {
  stop(): void;
}

export function lazyProviders(config: Config, observer: Observer): LazyProviders {
  const { internalOrigins } = config.auth;
  const load = async () => {
    const { Providers } = await import('../services/auth/authenticator.js');
    return new Providers({ clock: systemClock, observer, internalOrigins });
  };
  let loading: ReturnType<typeof load> | undefined;
  return {
    identify: async (providers, check) => (await (loading ??= load())).identify(providers, check),
    stop: () => void loading?.then((providers) => providers.stop()),
  };
}
