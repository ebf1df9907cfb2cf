import { SimulatedClock } from '../../simulations/world/clock.js';
import { chanceFor } from '../../simulations/cluster/chance.js';
import { PeerNetwork } from '../../simulations/cluster/peer-network.js';
import { Trace } from '../../simulations/cluster/trace.js';
import { Weather } from '../../simulations/cluster/weather.js';
import { Life, Machine } from '../../simulations/world/machine.js';
import type { NodeId } from '../../src/base/ids.js';
import { type PeersWorld, peersContract } from '../contracts/peers.js';
import { sealed, socketWorld, someKey } from './support.js';

peersContract('sockets of one machine', async () => socketWorld(async () => ({ kind: 'plain' })));

peersContract('sockets under a cluster key', async () => {
  const key = someKey();
  return socketWorld((node) => sealed(key, node));
});

peersContract('the simulator', async () => simulatedWorld());

function simulatedWorld(): PeersWorld {
  const line = new SimulatedClock();
  const weather = new Weather(line, chanceFor(1, 'weather'));
  const network = new PeerNetwork(
    weather,
    chanceFor(1, 'links'),
    new Trace(() => line.monotonicMs()),
    chanceFor(1, 'pulses'),
  );
  const lives = new Map<string, Life>();
  const becomes = async (condition: () => boolean): Promise<void> => {
    for (let tries = 0; !condition(); tries++) {
      if (tries > 10_000) throw new Error('it did not become so');
      await line.sleep(10);
    }
  };
  return {
    async open(name) {
      const life = new Life(new Machine(line));
      lives.set(name, life);
      const [id, address] = [name.repeat(32) as NodeId, `${name}:7946`];
      return { id, address, peers: network.port({ name, id, address, life }) };
    },
    kill(name) {
      lives.get(name)!.end();
      network.nodeGone(name, false);
    },
    becomes,
    pass: () => line.sleep(100),
    run: (task) => line.until(task()),
    done: async () => {},
  };
}
