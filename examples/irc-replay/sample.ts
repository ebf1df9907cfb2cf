/** A small stand-in of the same form, for where the real days are not at hand: made up, the same for a seed. */
import { seededRandom } from '../../src/base/random.js';
import { type IrcLine, type LineKind, type LineSource, lineKinds } from './lines.js';

const [days, linesPerDay, nicks] = [3, 1_000, 60];
const words = 'the disk is full again and nobody mounted my home so apt will not update grub'.split(' ');
const channel = 'sample';

export function sampleSource(seed: number): LineSource {
  return async function* () {
    const random = seededRandom(seed);
    const pick = (count: number) => Math.floor(random.next() * count);
    for (let day = 1; day <= days; day++)
      for (let i = 0; i < linesPerDay; i++) yield sampleLine(day, i, pick);
  };
}

function sampleLine(day: number, index: number, pick: (count: number) => number): IrcLine {
  // Most of what happens is talk.
  const kind: LineKind = pick(5) > 0 ? 'message' : lineKinds[pick(lineKinds.length)]!;
  const minute = Math.floor((index / linesPerDay) * 24 * 60);
  const nick = `guest${pick(nicks)}[${day}]`;
  const text = Array.from({ length: 1 + pick(20) }, () => words[pick(words.length)]).join(' ');
  const two = (value: number) => String(value).padStart(2, '0');
  return {
    day: `2004-01-${two(day)}`,
    time: `${two(Math.floor(minute / 60))}:${two(minute % 60)}`,
    kind,
    nick,
    ...((kind === 'message' || kind === 'action') && { text }),
    ...(kind === 'nick' && { to: `${nick}_` }),
    channel,
  };
}
