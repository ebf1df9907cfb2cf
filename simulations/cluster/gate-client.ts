/** Clients without any right of their own in a hub whose rules change: they publish and read, now at this node and now at that, and
 *  ask the node what goes there. They are at the node itself, as its gateway is, so that what it did is known to the turn. */
import type { HubName } from '../../src/base/ids.js';
import type { Random } from '../../src/base/random.js';
import type { Principal, SessionHandle, SessionSink } from '../../src/engine/api.js';
import type { Engine } from '../../src/engine/engine.js';
import { encodeContent } from '../../src/log/content-wire.js';
import { encodeClientFrame } from '../../src/protocol/client-encoder.js';
import type { OutgoingMessage, ServerEvent } from '../../src/protocol/messages.js';
import { decodeServerFrame } from '../../src/protocol/server-decoder.js';
import type { Life } from '../world/machine.js';
import { chanceFor, pick } from './chance.js';
import { type Lines, gateChannel, linesOf, rightsIn, textOf } from './checkers/settings-twin.js';
import { atRandomTimes } from './lives.js';
import { gatedHub } from './places.js';
import type { SettingsPlan } from './settings-operator.js';
import type { World } from './world.js';

const anonymous: Principal = { actor: '', authenticated: false, admin: false };
/** What a node knows it goes by at once. */
const cutMs = 50;

/** One connection. */
interface Place {
  readonly engine: Engine;
  readonly life: Life;
  /** The process, by its node and number. */
  readonly process: string;
  handle: SessionHandle | undefined;
  isOver: boolean;
  /** Its subscription, and since which moment. */
  state: 'none' | 'asked' | 'live';
  sinceMoment: number;
}

export class GateClient {
  readonly #world: World;
  readonly #name: string;
  readonly #random: Random;
  #place: Place | undefined;
  #said = 0;
  #stopped = false;

  constructor(world: World, { name, usesPerMinute }: SettingsPlan['gates'][number]) {
    this.#world = world;
    this.#name = name;
    this.#random = chanceFor(world.seed, name);
    atRandomTimes(
      world.line,
      this.#random,
      usesPerMinute / 60,
      () => this.#act(),
      () => this.#stopped,
    );
  }

  /** It stays where it is. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    this.#leave();
  }

  #act(): void {
    const place = this.#place;
    if (!place || place.isOver || !place.life.alive) return this.#come();
    switch (
      pick(this.#random, ['publish', 'publish', 'publish', 'look', 'look', 'subscribe', 'subscribe', 'leave'])
    ) {
      case 'publish':
        return place.life.run(() => void this.publish(place));
      case 'look':
        return place.life.run(() => void this.#look(place));
      case 'subscribe':
        return place.life.run(() => this.#subscribe(place));
      default:
        if (this.#random.next() < 0.4) this.#leave();
    }
  }

  // Coming and going.

  #come(): void {
    const nodes = this.#world.members().filter(({ state }) => state === 'up');
    if (nodes.length > 0) this.comeTo(pick(this.#random, nodes));
  }

  comeTo({ name, starts, engine, life }: World['nodes'][number]): Place | undefined {
    this.#leave();
    if (!engine || !life) return undefined;
    const process = `${name} ${starts}`;
    const place: Place = {
      engine,
      life,
      process,
      handle: undefined,
      isOver: false,
      state: 'none',
      sinceMoment: 0,
    };
    this.#place = place;
    life.run(() => void this.#open(place));
    return place;
  }

  async #open(place: Place): Promise<void> {
    const entered = await place.engine.enter(gatedHub, undefined);
    if (!place.life.alive || place.isOver) return;
    const sink = this.#sink(place);
    const opened = entered.ok
      ? place.engine.openSession({ hub: gatedHub, encoding: 'protobuf', principal: anonymous, sink })
      : entered;
    if (opened.ok) place.handle = opened.value;
    else place.isOver = true;
  }

  #leave(): void {
    const place = this.#place;
    this.#place = undefined;
    if (!place || place.isOver) return;
    place.isOver = true;
    place.life.run(() => place.handle?.disconnected());
  }

  #sink(place: Place): SessionSink {
    return {
      bufferedBytes: 0,
      write: (frames) => {
        for (const { bytes } of frames) if (!place.isOver) this.#received(place, bytes);
      },
      close: () => {
        place.isOver = true;
      },
    };
  }

  #received(place: Place, bytes: Uint8Array): void {
    const decoded = decodeServerFrame('protobuf', bytes, gatedHub as HubName);
    if (!decoded.ok) return this.#world.broken(new Error(`${this.#name} cannot read a frame`));
    for (const { requestId, event } of decoded.value) this.#event(place, requestId, event);
  }

  // What it does.

  /** Resolves with whether it was let, where that was said. */
  async publish(place: Pick<Place, 'engine' | 'life' | 'process'>): Promise<void> {
    const { settings } = this.#world.record;
    const sentAt = settings.moment();
    const payload = Buffer.from(`{"${this.#name}":${++this.#said}}`);
    const message = { type: 'publish', channel: gateChannel, content: encodeContent({ payload }) } as const;
    const answers = await place.life.answered(place.engine.publish(anonymous, gatedHub, [message]));
    const answer = answers?.[0];
    if (!place.life.alive || !answer) return;
    if (answer.ok) this.#used(place, 'publish', 'publish', true, sentAt);
    else if (answer.error.code === 'DENIED') this.#used(place, 'publish', 'publish', false, sentAt);
  }

  #subscribe(place: Place): void {
    if (place.state !== 'none' || !place.handle) return;
    place.state = 'asked';
    place.sinceMoment = this.#world.record.settings.moment();
    this.#send(place, { type: 'subscribe', channels: [{ channel: gateChannel, start: { type: 'live' } }] });
  }

  /** What the node says goes there; who may not read by that is cut off by then, and told. */
  async #look(place: Place): Promise<void> {
    const before = await this.#known(place);
    const { state, sinceMoment } = place;
    if (!before || rightsIn(before).subscribe || state !== 'live') return;
    await new Promise<void>((resolve) => void place.life.after(cutMs, resolve));
    const now = await this.#known(place);
    if (!now || textOf(now) !== textOf(before) || place.isOver) return;
    if (place.state !== 'live' || place.sinceMoment !== sinceMoment) return;
    this.#uncut(place, 'still reads, and its node goes by rules that do not let it');
  }

  async #known({ engine, life, process }: Place): Promise<Lines | undefined> {
    const { settings } = this.#world.record;
    const answer = await engine.settings(gatedHub);
    if (!life.alive || !answer.ok) return undefined;
    const lines = linesOf(answer.value as Parameters<typeof linesOf>[0]);
    settings.knowledge.push({ life: process, at: settings.moment(), document: textOf(lines) });
    return lines;
  }

  // What it is told.

  #event(place: Place, requestId: number, event: ServerEvent): void {
    switch (event.type) {
      case 'ping':
        return place.life.soon(() => this.#send(place, { type: 'pong' }));
      case 'subscribe':
        return this.#subscribed(place, event.results[0]?.error?.code);
      case 'delivery':
        if (place.state !== 'live') this.#uncut(place, 'is delivered what it is not subscribed to');
        return this.#used(place, 'subscribe', 'read', true, undefined);
      case 'error':
        if (requestId !== 0 || event.error.channel === undefined) return;
        if (event.error.code === 'DENIED') this.#used(place, 'subscribe', 'read', false, undefined);
        place.state = 'none';
        return;
      default:
        return;
    }
  }

  #subscribed(place: Place, code: string | undefined): void {
    const { settings } = this.#world.record;
    const sentAt = place.sinceMoment;
    if (code === undefined || code === 'DENIED')
      this.#used(place, 'subscribe', 'subscribe', code === undefined, sentAt);
    place.state = code === undefined ? 'live' : 'none';
    place.sinceMoment = settings.moment();
  }

  #used(
    { process }: Pick<Place, 'process'>,
    right: 'publish' | 'subscribe',
    what: string,
    isAllowed: boolean,
    sentAt: number | undefined,
  ): void {
    const { settings } = this.#world.record;
    const at = settings.moment();
    settings.uses.push({ who: this.#name, life: process, right, what, isAllowed, sentAt: sentAt ?? at, at });
    this.#world.trace.add(`${this.#name} ${what} at ${process}: ${isAllowed}`);
  }

  #uncut({ process }: Place, what: string): void {
    this.#world.record.settings.uncut.push(`${this.#name} at ${process} ${what}`);
  }

  #send({ handle, isOver }: Place, message: OutgoingMessage): void {
    if (!isOver) handle?.receive(encodeClientFrame('protobuf', [{ requestId: 1, message }]));
  }
}
