/** A hub whose clients a provider knows by their tokens. */
import { expect } from 'vitest';
import { type Result, ok } from '../../src/base/result.js';
import type { Authenticator, Identified, Identity, TokenCheck } from '../../src/engine/ports.js';
import type { Change } from '../../src/hubs/change.js';
import type { Provider } from '../../src/hubs/provider.js';
import { type Failure, failure } from '../../src/protocol/errors.js';
import { TestSecrets } from '../people/secrets.js';
import { type TestSession, World } from './harness.js';

/** Knows tokens by heart, and takes its time. */
export class Known implements Authenticator {
  readonly checks: TokenCheck[] = [];
  readonly tokens = new Map<string, Omit<Identity, 'user'> & { user: string }>();
  delayMs = 10;
  failing: Failure | undefined;
  world!: World;

  async identify(
    providers: ReadonlyMap<string, Provider>,
    check: TokenCheck,
  ): Promise<Result<Identified, Failure>> {
    this.checks.push(check);
    await this.world.clock.sleep(this.delayMs);
    if (this.failing) return { ok: false, error: this.failing };
    const identity = this.tokens.get(check.token);
    const [provider] = providers.keys();
    return identity && provider !== undefined
      ? ok({ provider, identity })
      : { ok: false, error: failure('UNAUTHENTICATED') };
  }
}

const provider = { type: 'http', url: 'https://auth.example' };
const closed = { public: false, clientPublish: false };
export const changes: readonly Change[] = [
  { type: 'put', section: 'providers', name: 'main', value: provider },
  { type: 'put', section: 'rules', name: 'closed', value: closed },
  { type: 'put', section: 'hub', name: 'rules', value: 'closed' },
];
/** Two of them, whose nodes have secrets of their own. */
export async function twoHubs(): Promise<{ world: World; known: Known }> {
  const known = new Known();
  const rules = { sets: {}, hubs: { default: {}, other: {} } };
  const { secrets } = new TestSecrets();
  const world = new World({ hubs: { createOnUse: false }, rules, authenticator: known, secrets });
  known.world = world;
  await world.boot();
  for (const hub of ['default', 'other']) for (const change of changes) await set(world, change, hub);
  return { world, known };
}

export async function set(world: World, change: Change, hub = 'default'): Promise<void> {
  expect(await world.run(world.engine.changeSettings(hub, change, 'root'))).toMatchObject({ ok: true });
  await world.settle();
}

export async function enter(world: World, token?: string): Promise<TestSession> {
  const entered = await world.run(world.engine.enter('default', token, 'abc'));
  if (!entered.ok) throw new Error(entered.error.code);
  return world.connect({ principal: entered.value });
}
