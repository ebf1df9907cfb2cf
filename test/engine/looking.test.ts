/** How long an empty node serves nobody. */
import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { limits } from '../../src/base/limits.js';
import { Looking } from '../../src/engine/cluster/looking.js';

class World {
  readonly clock = new SimulatedClock();
  members = 1;
  isAnybodyThere = false;
  readonly asked = new Map<string, (node?: string) => void>();
  readonly meetings: boolean[] = [];
  holds = false;
  timesHeld = 0;
  readonly looking = new Looking(
    {
      clock: this.clock,
      timers: { after: (ms, callback) => this.clock.after(ms, callback), soon: (callback) => callback() },
    },
    {
      isMeant: true,
      isPatient: false,
      isAlone: () => this.members === 1,
      isAnybodyThere: () => this.isAnybodyThere,
      meet: (address) => new Promise((answered) => this.asked.set(address, answered)),
      meeting: (isUnderWay) => this.meetings.push(isUnderWay),
      holdsNothing: () => Promise.resolve(!this.holds),
      held: () => this.timesHeld++,
    },
  );

  async isOverAfter(ms: number): Promise<boolean> {
    await this.clock.until(this.clock.sleep(ms));
    return this.looking.isOver;
  }
}

describe('an empty node that is to join others', () => {
  test('begins alone where it finds nobody', async () => {
    const world = new World();
    world.looking.look();
    expect(await world.isOverAfter(limits.lookForOthersMs - limits.lookEveryMs)).toBe(false);
    expect(await world.isOverAfter(2 * limits.lookEveryMs)).toBe(true);
  });

  test('waits for whoever is there until it is one of them', async () => {
    const world = new World();
    world.isAnybodyThere = true;
    world.looking.look();
    expect(await world.isOverAfter(10 * limits.waitForOthersMs)).toBe(false);
    world.members = 2;
    expect(await world.isOverAfter(2 * limits.lookEveryMs)).toBe(true);
  });

  test('waits longer for somebody who was there', async () => {
    const world = new World();
    world.isAnybodyThere = true;
    world.looking.look();
    await world.isOverAfter(100);
    world.isAnybodyThere = false;
    expect(await world.isOverAfter(limits.waitForOthersMs - 200)).toBe(false);
    expect(await world.isOverAfter(400)).toBe(true);
  });

  test('says and serves what it turns out to hold', async () => {
    const world = new World();
    world.isAnybodyThere = true;
    world.looking.look();
    expect(await world.looking.holdsNothing()).toBe(true);
    expect([world.looking.isOver, world.timesHeld]).toEqual([false, 0]);
    world.holds = true;
    world.looking.tell();
    expect(await world.isOverAfter(1)).toBe(true);
    expect([await world.looking.holdsNothing(), world.timesHeld]).toEqual([false, 2]);
    world.members = 2;
    world.looking.tell();
    await world.isOverAfter(1);
    expect(world.timesHeld).toBe(2);
  });

  test('asks at all addresses at once, and says when all have answered, or will not', async () => {
    const world = new World();
    const pass = (ms: number): Promise<void> => world.clock.until(world.clock.sleep(ms));
    world.looking.ask(['a:1', 'b:1']);
    expect([...world.asked.keys()]).toEqual(['a:1', 'b:1']);
    world.asked.get('b:1')!('b');
    await pass(10_000);
    world.looking.ask(['c:1']);
    world.asked.get('a:1')!();
    await pass(10_000);
    expect(world.meetings).toEqual([true]);
    world.asked.get('c:1')!('c');
    await pass(limits.tellRingMs - 10);
    expect(world.meetings).toEqual([true]);
    await pass(20);
    expect(world.meetings).toEqual([true, false]);
  });

  test('asks nobody twice, and nobody once it serves', async () => {
    const world = new World();
    world.looking.ask(['a:1']);
    world.asked.get('a:1')!();
    await world.isOverAfter(2 * limits.tellRingMs);
    world.looking.ask(['a:1']);
    expect(world.meetings).toEqual([true, false]);
    world.holds = true;
    await world.looking.holdsNothing();
    world.looking.ask(['b:1']);
    expect([...world.asked.keys()]).toEqual(['a:1']);
  });

  test('asks at so many addresses at most', () => {
    const world = new World();
    world.looking.ask(Array.from({ length: 2 * limits.knownAddressesMax }, (_, i) => `a:${i}`));
    expect(world.asked.size).toBe(limits.knownAddressesMax);
  });
});
