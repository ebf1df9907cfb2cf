/** An operator who changes what goes in a hub, at whichever node, while others use it. */
import type { Random } from '../../src/base/random.js';
import type { Change, Section } from '../../src/hubs/change.js';
import { chanceFor, logBetween, pick } from './chance.js';
import { gateChannel } from './checkers/settings-twin.js';
import { atRandomTimes } from './lives.js';
import { gatedHub } from './places.js';
import type { SeenSettingChange } from './settings-record.js';
import type { World } from './world.js';

export interface SettingsPlan {
  readonly operators: readonly { readonly name: string; readonly changesPerMinute: number }[];
  readonly gates: readonly { readonly name: string; readonly usesPerMinute: number }[];
}

/** Of one run, in the mean. */
const changesMax = 60;
const usesMax = 400;

/** In few runs. */
export function drawSettings(seed: number, lengthMs: number): SettingsPlan {
  const random = chanceFor(seed, 'settings');
  if (random.next() < 0.8) return { operators: [], gates: [] };
  const [operators, gates] = [pick(random, [1, 1, 2]), pick(random, [1, 2, 4])];
  const changesPerMinute = (logBetween(random, 5, changesMax) * 60_000) / lengthMs / operators;
  const usesPerMinute = (logBetween(random, 40, usesMax) * 60_000) / lengthMs / gates;
  return settingsPlan(operators, gates, { changesPerMinute, usesPerMinute });
}

export function settingsPlan(
  operators: number,
  gates: number,
  { changesPerMinute, usesPerMinute }: { readonly changesPerMinute: number; readonly usesPerMinute: number },
): SettingsPlan {
  return {
    operators: Array.from({ length: operators }, (_, i) => ({ name: `o${i + 1}`, changesPerMinute })),
    gates: Array.from({ length: gates }, (_, i) => ({ name: `w${i + 1}`, usesPerMinute })),
  };
}

export class SettingsOperator {
  readonly #world: World;
  readonly #name: string;
  readonly #random: Random;
  #stopped = false;

  constructor(world: World, { name, changesPerMinute }: SettingsPlan['operators'][number]) {
    this.#world = world;
    this.#name = name;
    this.#random = chanceFor(world.seed, name);
    atRandomTimes(
      world.line,
      this.#random,
      changesPerMinute / 60,
      () => this.#change(),
      () => this.#stopped,
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  #change(): void {
    const nodes = this.#world.members().filter(({ state }) => state === 'up');
    if (nodes.length > 0) void this.change(pick(this.#random, nodes), this.#draw());
  }

  /** Resolves with what became of it: it stays open where the node ends before it answers. */
  async change(node: World['nodes'][number], change: Change): Promise<SeenSettingChange['outcome']> {
    const { engine, life } = node;
    const { settings } = this.#world.record;
    if (!engine || !life) return 'rejected';
    const process = `${node.name} ${node.starts}`;
    const outcome = new Promise<SeenSettingChange['outcome']>((resolve) =>
      life.run(() => {
        const seen = settings.change(change, process);
        void engine.changeSettings(gatedHub, change, `${this.#name} ${seen.id}`).then(
          (answer) => {
            if (!life.alive) return;
            seen.outcome = answer.ok
              ? 'acked'
              : answer.error.code === 'NOT_FOUND'
                ? 'void'
                : answer.error.outcome;
            if (seen.outcome === 'acked' || seen.outcome === 'void')
              settings.knowledge.push({ life: process, at: settings.moment(), change: seen.id });
            this.#world.trace.tell(`${process}: change ${seen.id} (${textOf(change)}) is ${seen.outcome}`);
            resolve(seen.outcome);
          },
          (error: unknown) => this.#world.broken(error),
        );
      }),
    );
    return (await life.answered(outcome)) ?? 'open';
  }

  #draw(): Change {
    const [name, set] = [pick(this.#random, ['gate', 'gate', 'space', 'hub']), this.#set()];
    switch (pick(this.#random, ['rules', 'rules', 'rules', 'refer', 'refer', 'remove', 'replace'])) {
      case 'refer':
        return { type: 'put', ...this.#reference() };
      case 'remove':
        return {
          type: 'remove',
          ...(this.#random.next() < 0.3 ? { section: 'rules', name } : this.#named()),
        };
      case 'replace':
        return {
          type: 'replace',
          document: { rules: { gate: set, [name]: this.#set() }, channels: { [gateChannel]: 'gate' } },
        };
      default:
        return { type: 'put', section: 'rules', name, value: set };
    }
  }

  #named(): { readonly section: Section; readonly name: string } {
    const { section, name } = this.#reference();
    return { section, name };
  }

  /** A rule set that no other change puts. */
  #set(): object {
    const flag = (): boolean => this.#random.next() < 0.5;
    return ruleSet(flag(), flag(), this.#world.record.settings.changes.length + 1);
  }

  #reference(): { readonly section: Section; readonly name: string; readonly value: string } {
    return pick(this.#random, [
      { section: 'channels', name: gateChannel, value: 'gate' },
      { section: 'channels', name: gateChannel, value: 'gate' },
      { section: 'namespaces', name: 'gate', value: 'space' },
      { section: 'hub', name: 'rules', value: 'hub' },
    ] as const);
  }
}

/** Nothing is so many that it would be removed. */
export function ruleSet(isPublic: boolean, clientPublish: boolean, number: number): object {
  return { public: isPublic, clientPublish, retention: { maxCount: 1_000_000 + number } };
}

function textOf(change: Change): string {
  return change.type === 'replace' ? 'replace' : `${change.type} ${change.section} ${change.name}`;
}
