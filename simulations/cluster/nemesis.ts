/** Does what the schedule says to the world, and undoes all of it at the end. */
import type { Random } from '../../src/base/random.js';
import { between } from './chance.js';
import { Duels } from './duels.js';
import { type Fault, type FaultKind, isOfMainThread, losesDisk } from './faults.js';
import type { SimulatedNode } from './node.js';
import { Operator } from './operator.js';
import { calm } from './weather.js';
import { type RotKind, rot } from './rot.js';
import type { World } from './world.js';

const rotKinds: readonly RotKind[] = ['flip', 'flip', 'flip', 'zero', 'misplace', 'index'];

export interface Firings {
  total: number;
  /** While a publish was without an answer. */
  busy: number;
}

export class Nemesis {
  readonly fired = new Map<FaultKind, Firings>();
  /** When each of them struck, in milliseconds, and whether in the midst of a commit. */
  readonly strikes: { readonly atMs: number; readonly inCommit: boolean }[] = [];
  readonly #world: World;
  readonly #duels: Duels;
  readonly #operator: Operator;
  readonly #random: Random;
  /** What is wrong now, and how to put it right. */
  readonly #undo = new Set<() => void>();
  #healed = false;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.#operator = new Operator(world, random);
    this.#duels = new Duels(world, {
      isHealed: () => this.#healed,
      isolate: (node) => this.#isolate(node),
      loseDisk: (node) => this.#replaceDisk(node, true, 100),
    });
    for (const node of world.nodes) node.onFailed = () => this.#startLater(node, between(random, 200, 3_000));
  }

  get steered() {
    return this.#duels.counts;
  }

  plan(faults: readonly Fault[]): void {
    for (const fault of faults)
      this.#world.line.after(fault.atMs - this.#world.nowMs(), () => this.#fire(fault));
  }

  /** From now on nothing goes wrong. */
  heal(): void {
    const { nodes, weather, trace, record } = this.#world;
    this.#healed = true;
    trace.tell('everything is healed');
    for (const undo of this.#undo) undo();
    this.#undo.clear();
    weather.conditions = { ...calm };
    for (const node of nodes) {
      node.machine.resume();
      node.noteLead();
      node.machine.setWallRight();
      node.disk.latencyMsMax = 0.6;
      node.disk.capacityBytes = 1 << 30;
      Object.assign(node.disk.faults, { failSync: undefined, failWrite: undefined });
      node.disk.dieAfter(Number.POSITIVE_INFINITY, () => {});
      node.ambush(undefined);
      if (node.state === 'down') this.#startLater(node, this.#random.next() * 500);
    }
    record.healedMs = this.#world.nowMs();
  }

  #fire(fault: Fault): void {
    if (this.#healed) return;
    const firings = this.fired.get(fault.kind) ?? { total: 0, busy: 0 };
    const node = this.#world.nodes[fault.node]!;
    if (!this.#do(fault, node)) return;
    firings.total++;
    this.#struck();
    for (const each of this.#world.nodes) each.noteLead();
    if (this.#world.record.hasOpen) firings.busy++;
    this.fired.set(fault.kind, firings);
    this.#world.trace.tell(
      `${fault.kind} ${node.name} for ${Math.round(fault.forMs)} ms (${fault.amount.toFixed(3)})`,
    );
  }

  #struck(): void {
    const { nodes, record } = this.#world;
    const inCommit = record.hasOpen && nodes.some(({ isCommitting }) => isCommitting);
    this.strikes.push({ atMs: this.#world.nowMs(), inCommit });
  }

  /** False when there was nothing to do it to. */
  #do(fault: Fault, node: SimulatedNode): boolean {
    switch (fault.kind) {
      case 'kill':
      case 'power-loss':
        return this.#crash(fault, node);
      case 'blackout':
        return this.#blackout(fault);
      case 'stop':
        return this.#stop(fault, node);
      case 'lost-disk':
        return this.#loseDisk(fault, node);
      case 'isolate':
      case 'one-way':
      case 'split':
        return this.#cutOff(fault, node);
      case 'clog':
        return this.#clog(fault, node);
      case 'storm':
        return this.#storm(fault);
      case 'duel':
        return this.#duels.duel(fault.forMs, losesDisk(fault));
      case 'tail':
        return this.#duels.tail(fault.forMs);
      case 'ring':
        return this.#operator.change(fault.amount);
      case 'delete':
        return this.#operator.delete(node, fault.amount);
      case 'redact':
        return this.#operator.redact(node, fault.amount);
      case 'force':
        return this.#operator.force(node, fault.amount);
      case 'ambush':
        return this.#ambush(fault);
      case 'cut':
        return this.#world.clients.cut(fault.amount) + this.#world.peers.cut(fault.amount) > 0;
      default:
        return this.#strike(fault, node);
    }
  }

  /** What concerns the machine and its disk. */
  #strike(fault: Fault, node: SimulatedNode): boolean {
    const { kind, forMs, amount } = fault;
    const { machine, disk } = node;
    switch (kind) {
      case 'pause':
        if (machine.paused || node.state === 'down') return false;
        if (isOfMainThread(fault)) machine.stick();
        else machine.pause();
        this.#until(forMs, () => machine.resume());
        return true;
      case 'clock-step':
        machine.stepWall(amount);
        return true;
      case 'clock-drift':
        machine.setRate(amount);
        this.#until(forMs, () => machine.setRate(1));
        return true;
      case 'slow-disk':
        disk.latencyMsMax = amount;
        this.#until(forMs, () => (disk.latencyMsMax = 0.6));
        return true;
      case 'full-disk':
        disk.capacityBytes = disk.usedBytes + amount * 300_000;
        this.#until(forMs, () => (disk.capacityBytes = 1 << 30));
        return true;
      case 'failed-sync':
        disk.faults.failSync = amount;
        return true;
      case 'failed-write':
        disk.faults.failWrite = amount;
        return true;
      case 'rot':
        return this.#rot(node, amount);
      default:
        return false;
    }
  }

  #rot(node: SimulatedNode, amount: number): boolean {
    const kind = rotKinds[Math.floor(amount * rotKinds.length)]!;
    if (!rot(node, kind, this.#random)) return false;
    node.rotted(kind);
    return true;
  }

  #crash({ kind, amount, forMs }: Fault, node: SimulatedNode): boolean {
    if (node.state === 'down') return false;
    const isPowerLoss = kind === 'power-loss';
    if (amount > 0) {
      node.crashAtStep(amount, isPowerLoss, () => {
        this.#struck();
        this.#startLater(node, forMs);
      });
      return true;
    }
    node.crash(isPowerLoss);
    this.#startLater(node, forMs);
    return true;
  }

  /** One of several things, in the midst of the next commit that any node makes. */
  #ambush({ forMs, amount }: Fault): boolean {
    const { nodes } = this.#world;
    const strike = (node: SimulatedNode): void => {
      for (const each of nodes) each.ambush(undefined);
      if (this.#healed) return;
      this.#struck();
      if (amount < 0.6) {
        node.crash(amount < 0.3);
        this.#startLater(node, forMs);
      } else if (amount < 0.8) this.#until(forMs, this.#isolate(node));
      else {
        node.machine.pause();
        this.#until(forMs, () => node.machine.resume());
      }
    };
    for (const node of nodes) node.ambush(() => strike(node));
    return true;
  }

  #blackout({ forMs }: Fault): boolean {
    for (const node of this.#world.nodes) {
      if (node.state === 'down') continue;
      node.crash(true);
      this.#startLater(node, forMs * between(this.#random, 0.5, 1));
    }
    return true;
  }

  #stop({ forMs }: Fault, node: SimulatedNode): boolean {
    if (node.state !== 'up') return false;
    void node.stop().then(
      () => this.#startLater(node, forMs),
      (error: unknown) => this.#world.broken(error),
    );
    return true;
  }

  #loseDisk({ forMs, amount }: Fault, node: SimulatedNode): boolean {
    this.#replaceDisk(node, amount < 0.5, forMs);
    return true;
  }

  #replaceDisk(node: SimulatedNode, isPowerLoss: boolean, forMs: number): void {
    const { record } = this.#world;
    if (node.state !== 'down') node.crash(isPowerLoss);
    record.lostDisks.set(node.loseDisk(), this.#world.nowMs());
    this.#startLater(node, forMs);
  }

  /** From all other nodes, both ways, until the result is called or everything is healed. */
  #isolate(node: SimulatedNode): () => void {
    const { nodes, weather } = this.#world;
    const opens: (() => void)[] = [];
    for (const other of nodes)
      if (other !== node)
        opens.push(weather.block(node.name, other.name), weather.block(other.name, node.name));
    const undo = (): void => opens.forEach((open) => open());
    this.#undo.add(undo);
    return () => {
      if (this.#undo.delete(undo)) undo();
    };
  }

  /** Between nodes; clients still reach them all. */
  #cutOff({ kind, others, forMs, amount }: Fault, node: SimulatedNode): boolean {
    const { nodes } = this.#world;
    const inside = kind === 'split' ? others.map((i) => nodes[i]!) : [node];
    const outside = nodes.filter((other) => !inside.includes(other));
    if (outside.length === 0) return false;
    for (const here of inside) {
      for (const there of outside) {
        if (kind !== 'one-way' || amount < 0.5) this.#block(here.name, there.name, forMs);
        if (kind !== 'one-way' || amount >= 0.5) this.#block(there.name, here.name, forMs);
      }
    }
    return true;
  }

  /** One path, either between two nodes or from a node to all clients there are. */
  #clog({ others, forMs }: Fault, node: SimulatedNode): boolean {
    const other = this.#world.nodes[others[0]!]!;
    if (other !== node) this.#block(node.name, other.name, forMs);
    for (const client of this.#world.clientNames) {
      if (this.#random.next() < 0.5) this.#block(node.name, client, forMs * this.#random.next());
      if (this.#random.next() < 0.2) this.#block(client, node.name, forMs * this.#random.next());
    }
    return true;
  }

  #storm({ forMs, amount }: Fault): boolean {
    const { weather } = this.#world;
    weather.conditions = { latencyMs: 1, jitterMs: amount * 400, loss: amount, duplication: amount / 2 };
    this.#until(forMs, () => (weather.conditions = { ...calm }));
    return true;
  }

  #block(from: string, to: string, forMs: number): void {
    this.#until(forMs, this.#world.weather.block(from, to));
  }

  #until(forMs: number, undo: () => void): void {
    this.#undo.add(undo);
    this.#world.line.after(forMs, () => {
      if (this.#undo.delete(undo)) undo();
    });
  }

  #startLater(node: SimulatedNode, afterMs: number): void {
    this.#world.line.after(this.#healed ? Math.min(afterMs, 1_000) : afterMs, () => {
      if (node.state === 'down') node.start();
    });
  }
}
