/** One run: things go wrong for a while, then nothing does, and all must come together. */
import { StalledError } from '../world/clock.js';
import { chanceFor } from './chance.js';
import { Ending } from './ending.js';
import { DocumentClient } from './document-client.js';
import type { FaultKind } from './faults.js';
import { GateClient } from './gate-client.js';
import { GroupClient } from './group-client.js';
import { HistoryClient } from './history-reader.js';
import { type Firings, Nemesis } from './nemesis.js';
import { NotificationClient } from './notification-client.js';
import { PlainPublisher } from './plain-publisher.js';
import { PresenceClient } from './presence-client.js';
import { Publisher } from './publisher.js';
import { ReaderClient } from './reader.js';
import { RegistrationClient, foundDirectory } from './registration-client.js';
import { RestoreClient } from './restore-client.js';
import type { Finding } from './record.js';
import { SettingsOperator } from './settings-operator.js';
import { type Steered, steeredIn } from './steered.js';
import type { SwarmPlan } from './swarm.js';
import { World } from './world.js';

export interface RunResult {
  readonly findings: readonly Finding[];
  readonly hash: string;
  readonly story: readonly string[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly fired: ReadonlyMap<FaultKind, Firings>;
  readonly steered: Steered;
  readonly published: number;
  readonly acked: number;
  readonly delivered: number;
}

export interface RunOptions {
  readonly checkersOff?: ReadonlySet<string>;
  readonly onWorld?: (world: World) => void;
}

export async function runPlan(plan: SwarmPlan, options: RunOptions = {}): Promise<RunResult> {
  const run = new Run(plan, options);
  options.onWorld?.(run.world);
  const broken = await run.world.watched(() => run.all());
  return run.result(broken);
}

class Run {
  readonly world: World;
  readonly #plan: SwarmPlan;
  readonly #nemesis: Nemesis;
  readonly #ending: Ending;

  constructor(plan: SwarmPlan, { checkersOff }: RunOptions) {
    this.#plan = plan;
    this.world = new World(plan.world);
    this.#nemesis = new Nemesis(this.world, chanceFor(plan.world.seed, 'nemesis'));
    const { channels, reconnectMaxMs } = plan;
    this.#ending = new Ending(this.world, { channels, reconnectMaxMs, checkersOff });
    this.world.channels.push(...channels);
    for (const channel of channels) if (isStrict(plan, channel)) this.world.strict.add(channel);
  }

  /** Rejects when something broke. */
  async all(): Promise<void> {
    const { world } = this;
    const { publishers, plainPublishers, readers, histories, reconnectMaxMs } = this.#plan;
    const { presences, documents, notifications, groups, restores } = this.#plan;
    const { registrations, settings } = this.#plan;
    for (const node of world.nodes) node.start();
    const options = (name: string) => world.client(name, world.hosts, reconnectMaxMs);
    const reading = readers.map((plan) => new ReaderClient(world, plan, options(plan.name)));
    const writing = publishers.map((plan) => new Publisher(world, plan, options(plan.name)));
    const plain = plainPublishers.map((plan) => new PlainPublisher(world, plan, options(plan.name)));
    const paging = histories.map((plan) => new HistoryClient(world, plan, options(plan.name)));
    const seen = presences.map((plan) => new PresenceClient(world, plan, options(plan.name)));
    const changing = documents.map((plan) => new DocumentClient(world, plan, options(plan.name)));
    const noticing = notifications.map((plan) => new NotificationClient(world, plan, options(plan.name)));
    const racing = groups.map((plan) => new GroupClient(world, plan, options(plan.name)));
    const kept = restores.map((plan) => new RestoreClient(world, plan, options(plan.name)));
    if (registrations.length > 0) foundDirectory(world);
    const registering = registrations.map((plan) => new RegistrationClient(world, plan, options(plan.name)));
    const operators = settings.operators.map((plan) => new SettingsOperator(world, plan));
    const gates = settings.gates.map((plan) => new GateClient(world, plan));
    this.#nemesis.plan(this.#plan.faults);
    await world.pass(this.#plan.lengthMs);
    this.#nemesis.heal();
    for (const client of paging) client.close();
    await this.#ending.all({
      publishers: [...writing, ...plain],
      readers: reading,
      presences: seen,
      documents: changing,
      notifications: noticing,
      groups: racing,
      registrations: registering,
      restores: kept,
      settings: { operators, gates },
    });
  }

  result(broken: unknown): RunResult {
    const { world } = this;
    const { record, trace } = world;
    if (broken instanceof StalledError) this.#ending.stuck('I25 time goes on', broken.message);
    else if (broken !== undefined) {
      const what = broken instanceof Error ? (broken.stack ?? broken.message) : JSON.stringify(broken);
      record.findings.push({ checker: 'crash', what });
    }
    const { evidence } = this.#ending;
    return {
      findings: this.#ending.findings(broken),
      hash: trace.hash,
      story: trace.story,
      simulatedMs: world.nowMs(),
      events: trace.events,
      fired: this.#nemesis.fired,
      steered: steeredIn(world, evidence, this.#nemesis),
      published: record.publishes.length,
      acked: record.publishes.filter(({ outcome }) => outcome === 'acked').length,
      delivered: record.readers.reduce((sum, { events }) => sum + events.length, 0),
    };
  }
}

/** Nobody asks for less than quorum there, or takes less. */
function isStrict({ publishers, plainPublishers }: SwarmPlan, channel: string): boolean {
  if (plainPublishers.some(({ channels }) => channels.includes(channel))) return false;
  return publishers.every(
    ({ channels, degrade, levels }) =>
      !channels.includes(channel) || (!degrade && levels.every((level) => level !== 'owner')),
  );
}
