/** How far the heap of a node may grow past what is alive before it is collected. By itself the engine below lets it
 *  grow to four times that, as far as the machine has memory: with many channels in use that is half a gigabyte of
 *  garbage, for a few per cent of a processor. It has no other way to be told than this flag, which it reads at each
 *  collection; a later engine without it says so on standard error and goes on as by itself. */
import { setFlagsFromString } from 'node:v8';

/** Per cent: collected whenever half of what was alive has come on top. Docs/performance.md has what others cost. */
const growth = 50;

/** Whoever sets the flag for this process means it. */
export function paceCollections(): void {
  const isSet = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => flag.test(text));
  if (!isSet) setFlagsFromString(`--heap-growing-percent=${growth}`);
}

const flag = /--heap[-_]growing[-_]percent/;
