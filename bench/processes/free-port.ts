/** A port of this machine that nobody listens on, below those that systems give to outgoing connections: ten thousand
 *  clients take many of these. */
import { createServer } from 'node:net';

const portMin = 12_000;
const portMax = 32_000;
const triesMax = 50;

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${portMin} and ${portMax}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
