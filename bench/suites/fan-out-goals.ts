/** What fan-out shall reach beside its floors, and beside NATS where it is installed. */
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import { cellName, diskCell, fanOutTargets as targets, floors } from './fan-out-cells.js';

const atLeast = { sense: 'at least', unit: '×' } as const;

export function fanOutGoals(rows: Rows): Goal[] {
  return [...roundGoals(rows), ...durableGoals(rows), ...signalGoals(rows), ...natsGoals(rows)];
}

/** Alone in flight a durable message pays one sync and what delivering costs anyway. */
function roundGoals(rows: Rows): Goal[] {
  return [100, 1_000].flatMap((listeners) => {
    const cell = cellName(listeners, 1);
    const ours = rows.p50Ms(cell, targets.durable);
    const floor = least(floors.map((name) => rows.p50Ms(cell, name)));
    const sync = rows.p50Ms(diskCell, targets.disk);
    if (ours === undefined || floor === undefined || sync === undefined) return [];
    const name = `fan-out, durable, ${cell}: round beyond the best floor's`;
    return [{ name, value: (ours - floor) / sync, bound: 1.3, sense: 'at most' as const, unit: 'fdatasync' }];
  });
}

function durableGoals(rows: Rows): Goal[] {
  const bounds = [
    [100, 0.65],
    [1_000, 0.8],
  ] as const;
  return bounds.flatMap(([listeners, bound]) =>
    [8, 200].flatMap((inFlight) => {
      const cell = cellName(listeners, inFlight);
      return quotientGoal(rows, {
        cell,
        target: targets.durable,
        others: floors,
        of: 'the best floor',
        bound,
      });
    }),
  );
}

function signalGoals(rows: Rows): Goal[] {
  return [100, 1_000].flatMap((listeners) =>
    [1, 8, 200].flatMap((inFlight) => {
      const cell = cellName(listeners, inFlight);
      const ours = rows.perProcessorSecond(cell, targets.signals);
      const floor = most(floors.map((name) => rows.perProcessorSecond(cell, name)));
      if (ours === undefined || floor === undefined) return [];
      const name = `fan-out, signals, ${cell}: beside the best floor, per CPU-s`;
      return [{ name, value: ours / floor, bound: 0.85, ...atLeast }];
    }),
  );
}

function natsGoals(rows: Rows): Goal[] {
  const bounds = [
    [100, 8, 0.5],
    [1_000, 8, 0.9],
    [100, 200, 1],
    [1_000, 200, 1],
  ] as const;
  return bounds.flatMap(([listeners, inFlight, bound]) => {
    const cell = cellName(listeners, inFlight);
    const others = [targets.nats];
    return [targets.durable, targets.signals].flatMap((target) =>
      quotientGoal(rows, { cell, target, others, of: targets.nats, bound }),
    );
  });
}

interface Beside {
  readonly cell: string;
  readonly target: string;
  /** The best of these counts. */
  readonly others: readonly string[];
  readonly of: string;
  readonly bound: number;
}

function quotientGoal(rows: Rows, { cell, target, others, of, bound }: Beside): Goal[] {
  const ours = rows.rate(cell, target);
  const best = most(others.map((name) => rows.rate(cell, name)));
  if (ours === undefined || best === undefined) return [];
  const cost = rows.perProcessorSecond(cell, target);
  const bestCost = most(others.map((name) => rows.perProcessorSecond(cell, name)));
  return [
    {
      name: `fan-out, ${target}, ${cell}: beside ${of}`,
      value: ours / best,
      bound,
      ...atLeast,
      ...(cost !== undefined && bestCost !== undefined && { perProcessorSecond: cost / bestCost }),
    },
  ];
}

function most(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
