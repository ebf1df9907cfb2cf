/** The outcome of chaos as text. */
import type { ChaosResult } from './run.js';

const count = (value: number) => value.toLocaleString('en-US');
const findingsShown = 20;

export function* reportLines(result: ChaosResult): Generator<string, void, undefined> {
  const { verdict, fired, silences, refusals } = result;
  yield `faults: ${[...fired].map(([kind, times]) => `${kind} ${times}`).join(', ')}`;
  const worst = [...silences].sort((a, b) => b.ms - a.ms).slice(0, 3);
  yield `longest without an ack in a channel: ${worst.map(({ kind, ms }) => `${Math.round(ms)} ms (${kind})`).join(', ')}`;
  yield `published ${count(verdict.published)}, acked at quorum ${count(verdict.acked)}, delivered ${count(result.delivered)}, in the stores ${count(verdict.entries)}`;
  yield `refused on the way: ${[...refusals].map(([code, times]) => `${code} ${count(times)}`).join(', ') || 'nothing'}`;
  yield `lost ${count(verdict.lost)}, duplicated ${count(verdict.doubled)}, written twice by owners apart ${count(verdict.twins)}, findings ${count(verdict.findings.length)}, verify ${verdict.isVerified ? 'clean' : 'not clean'}`;
  for (const { checker, what } of verdict.findings.slice(0, findingsShown)) yield `${checker}: ${what}`;
  for (const problem of result.problems) yield `problem: ${problem}`;
}
