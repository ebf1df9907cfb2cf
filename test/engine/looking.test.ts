/** How long an empty node serves nobody. */
import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../simulations/world/clock.js';
import { limits } from '../../src/base/limits.js';
import { Looking } from '../../src/engine/cluster/looking.js';

class World {
  readonly clock = new SimulatedClock();
  members = 1;
  isAnybodyThere = false;
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

  test('serves what it turns out to hold', async () => {
    const world = new World();
    world.isAnybodyThere = true;
    world.looking.look();
    world.looking.end();
    expect(world.looking.isOver).toBe(true);
  });
});
