/** What comparing two stores costs, as a table: `npm run sim -- --reach`. Goals: two replicas of a million entries in ten
 *  thousand channels that differ in ten entries need four round trips and 64 KiB; where they differ in a hundred thousand,
 *  at most 1.3 times the bytes of the entries go over the link. */
import { type Held, ReachWorld, type Traffic } from './reach-world.js';

export interface ReachCase {
  readonly name: string;
  readonly held: Held;
}

/** Entries of a channel that differ where many do. */
const differing = 10;

/** So many entries a channel, but for what the name says. */
export function reachCases(channels: number, entries: number): readonly ReachCase[] {
  const every = Math.max(1, Math.floor(channels / 10));
  return [
    { name: 'nothing differs', held: () => [entries, entries] },
    {
      name: 'ten entries, five on each side',
      held: (i) => {
        if (i % every !== 0 || i / every >= 10) return [entries, entries];
        return (i / every) % 2 === 0 ? [entries, entries - 1] : [entries - 1, entries];
      },
    },
    { name: 'ten entries in every channel', held: () => [entries, entries - differing] },
    {
      name: 'a tenth of the channels, a hundred entries each',
      held: (i) => (i % 10 === 0 ? [0, 10 * differing] : [entries, entries]),
    },
    { name: 'one side is empty', held: () => [entries, 0] },
  ];
}

export interface Reach extends Traffic {
  readonly name: string;
  readonly isEqual: boolean;
}

export async function reach(
  { name, held }: ReachCase,
  { channels, payloadBytes }: { readonly channels: number; readonly payloadBytes: number },
): Promise<Reach> {
  const world = new ReachWorld({ channels, payloadBytes, held });
  await world.start();
  const isQuiet = await world.compare();
  const traffic = { ...world.traffic };
  const isEqual = isQuiet && (await world.isEqual());
  await world.stop();
  return { name, ...traffic, isEqual };
}

/** What a home that was away gets by catching up: all that came to it, by what it missed. Goal: 1.1. */
export async function missedReach(size: {
  readonly channels: number;
  readonly entries: number;
  readonly missed: number;
  readonly payloadBytes: number;
}): Promise<{ readonly missedBytes: number; readonly cameBytes: number; readonly isEqual: boolean }> {
  const { channels, entries, missed, payloadBytes } = size;
  const world = new ReachWorld({ channels, payloadBytes, missed, held: () => [entries, entries] });
  await world.start();
  const isQuiet = await world.compare();
  const { compareBytes, mendBytes, otherBytes } = world.traffic;
  const isEqual = isQuiet && (await world.isEqual());
  await world.stop();
  return { missedBytes: world.missedBytes, cameBytes: compareBytes + mendBytes + otherBytes, isEqual };
}

export async function reachLines(
  size: { readonly channels: number; readonly entries: number; readonly payloadBytes: number },
  tell: (line: string) => void,
): Promise<boolean> {
  const { channels, entries, payloadBytes } = size;
  tell(`${channels} channels of ${entries} entries, payloads of ${payloadBytes} bytes`);
  tell('| | questions | round trips | comparing | mending | of that runs | all / runs | equal after |');
  tell('|---|---|---|---|---|---|---|---|');
  let isEachEqual = true;
  for (const each of reachCases(channels, entries)) {
    const { questions, legs, compareBytes, mendBytes, runBytes, isEqual } = await reach(each, size);
    isEachEqual &&= isEqual;
    const share = runBytes > 0 ? ((compareBytes + mendBytes) / runBytes).toFixed(3) : '';
    const bytes = [compareBytes, mendBytes, runBytes].map((value) => value.toLocaleString('en')).join(' | ');
    tell(
      `| ${each.name} | ${questions} | ${Math.ceil(legs / 2)} | ${bytes} | ${share} | ${isEqual ? 'yes' : 'NO'} |`,
    );
  }
  const missed = Math.floor(entries / 2);
  const away = await missedReach({ channels, entries: entries - missed, missed, payloadBytes });
  const told = [away.missedBytes, away.cameBytes].map((value) => value.toLocaleString('en'));
  tell(
    `A home that missed ${channels * missed} entries (${told[0]} bytes): ${told[1]} bytes over the link, both ways, ` +
      `${(away.cameBytes / away.missedBytes).toFixed(3)} times as much; ${away.isEqual ? 'equal' : 'NOT EQUAL'} after`,
  );
  return isEachEqual && away.isEqual;
}
