/** What a hub gives out to be used once, soon: it holds all that is needed to know it again, at every node. Nothing is kept of what
 *  was given, so nobody can crowd anybody out by asking for it; what was used is remembered (tallies.ts) as long as it would be good. */
import { toBase64Url } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { SignedUse } from '../../people/signed.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { HubTokens } from './hub-tokens.js';
import type { Tallies } from './tallies.js';

/** `lifeMs`: how long it is good. */
export interface OneUseKind {
  readonly use: SignedUse;
  readonly lifeMs: number;
}

interface Given {
  readonly id: string;
  /** By the wall clock of the node that gave it. */
  readonly untilMs: number;
}

export class OneUse<T extends object> {
  constructor(
    readonly tokens: HubTokens,
    readonly tallies: Pick<Tallies, 'use'>,
    readonly kind: OneUseKind,
  ) {}

  give(hub: HubName, value: T): Promise<Result<string, Failure>> {
    const id = toBase64Url(this.tokens.secrets.randomBytes(12));
    const untilMs = Math.floor(this.#clock.wallMs()) + this.kind.lifeMs;
    return this.tokens.sign(this.kind.use, hub, { ...value, id, untilMs });
  }

  /** `undefined` for what no node of the hub gave, and for what is too old. Clocks of nodes differ a little. */
  async read(hub: HubName, text: string): Promise<Result<(T & Given) | undefined, Failure>> {
    const read = await this.tokens.read(this.kind.use, hub, text);
    if (!read.ok || read.value === undefined) return read as Result<undefined, Failure>;
    const given = read.value as T & Given;
    const leftMs = given.untilMs - this.#clock.wallMs();
    const { lifeMs } = this.kind;
    const isTimely = leftMs > -limits.nodeClocksDifferMs && leftMs <= lifeMs + limits.nodeClocksDifferMs;
    return ok(isTimely ? given : undefined);
  }

  /** False where it was used before. Refused where more was used than is remembered. */
  async take({ id }: Given): Promise<Result<boolean, Failure>> {
    const { use, lifeMs } = this.kind;
    const taken = await this.tallies.use(use, id, lifeMs + 2 * limits.nodeClocksDifferMs);
    return taken === undefined ? err(failure('RATE_LIMITED', { retryAfterMs: lifeMs })) : ok(taken);
  }

  get #clock() {
    return this.tokens.directories.host.ports.clock;
  }
}
