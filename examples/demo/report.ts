/** The outcome as a table. */
import type { DemoResult } from './run.js';

const count = (value: number) => value.toLocaleString('en-US');

export function* reportLines(result: DemoResult): Generator<string, void, undefined> {
  const { verdict } = result;
  const rows: readonly (readonly [string, string])[] = [
    [
      'ring',
      `${result.nodes} nodes, ${result.copies} copies of every channel, version ${result.ringVersion}`,
    ],
    ['empty to one cluster', `${Math.round(result.startMs)} ms`],
    ['published', count(verdict.published)],
    ['acked at quorum', count(verdict.acked)],
    ['delivered to readers', count(result.delivered)],
    ['lost', count(verdict.lost)],
    ['duplicated', count(verdict.doubled)],
    ['written twice by owners apart', `${count(verdict.twins)} (their keys make them one for clients)`],
    ['failover after a kill', `${Math.round(result.failoverMs)} ms`],
    ['failover after a cut', `${Math.round(result.cutMs)} ms`],
    ['restart of all to converged', `${Math.round(result.convergeMs)} ms`],
    ['entries in the stopped stores', count(verdict.entries)],
    ['verify', verdict.isVerified ? 'clean' : 'not clean'],
    [
      'stores equal, histories in order',
      verdict.findings.length === 0 ? 'yes' : `no: ${verdict.findings.length} findings`,
    ],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) yield `${name.padEnd(width)}  ${value}`;
  for (const { checker, what } of verdict.findings.slice(0, 20)) yield `${checker}: ${what}`;
  for (const problem of result.problems) yield `problem: ${problem}`;
}
