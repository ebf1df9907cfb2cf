/** Loaded into a node before its own program: answers for it, unasked does nothing, and keeps nothing alive. */
import { type Inside, tellOfInside } from './inside.js';

process.on('message', ({ ask }: { ask: Inside }) => {
  process.send!({ result: tellOfInside(ask) });
});
process.channel?.unref();
