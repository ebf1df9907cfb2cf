/** Whose the names are that several people wanted, as nodes say it: whom each lets in. */
import type { Principal } from '../../src/engine/api.js';
import { loginMessage } from '../../src/client/people.js';
import { answerOf, lastLook } from './coming-together.js';
import { credentialsOf } from './credentials.js';
import type { SeenNames } from './names-record.js';
import type { SimulatedNode } from './node.js';
import { peopledHub } from './places.js';
import type { World } from './world.js';

const anonymous: Principal = { actor: '', authenticated: false, admin: false };
/** A node that has just started reads first who there is. */
const knownMs = 10_000;
const againMs = 200;

type Look = ReadonlyMap<string, SeenNames>;

/** Looked at until all nodes say the same, or for so long. */
export async function namesWithin(world: World, withinMs: number): Promise<Look> {
  return await lastLook(world, withinMs, () => new Looking(world).all(), isOne);
}

function isOne(look: Look): boolean {
  const said = [...look.values()].map(({ owners, tokens }) => JSON.stringify([[...owners], [...tokens]]));
  return new Set(said).size <= 1;
}

class Looking {
  readonly #world: World;
  /** One that the first node gave for each name. */
  readonly #tokens = new Map<string, string>();
  #asked = 0;
  /** A node is waited for once: what was seen at those before is to be what they say still. */
  #knownUntil = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async all(): Promise<Look> {
    const { races } = this.#world.record.names;
    const names = [...new Set(races.map(({ name }) => name))];
    const look = new Map<string, SeenNames>();
    for (const node of this.#world.members()) {
      if (node.state !== 'up') continue;
      const owners = new Map<string, string>();
      this.#knownUntil = this.#world.nowMs() + knownMs;
      for (const name of names) owners.set(name, await this.#ownersAt(node, name));
      const tokens = new Map<string, string>();
      for (const [name, token] of this.#tokens) tokens.set(name, await this.#userOf(node, token));
      look.set(node.name, { owners, tokens });
    }
    return look;
  }

  async #ownersAt(node: SimulatedNode, name: string): Promise<string> {
    const { races } = this.#world.record.names;
    const people = races.filter((race) => race.name === name).map(({ by }) => by);
    const said: string[] = [];
    for (const person of people) {
      const answer = await this.#known(() => this.#logIn(node, person, name));
      if (!answer.ok && answer.error.code !== 'UNAUTHENTICATED') said.push(answer.error.code);
      if (!answer.ok) continue;
      said.push(person);
      if (!this.#tokens.has(name)) this.#tokens.set(name, answer.value['token'] as string);
    }
    return said.join();
  }

  async #logIn(node: SimulatedNode, person: string, name: string) {
    const logIn = credentialsOf(person).logIn(name);
    if ('password' in logIn) return await this.#ask(node, 'login', logIn);
    const given = await this.#ask(node, 'challenge', { name });
    if (!given.ok) return given;
    const challenge = given.value['challenge'] as string;
    const signature = await logIn.sign(loginMessage(peopledHub, name, challenge));
    return await this.#ask(node, 'login', { name, challenge, signature });
  }

  /** Each from an address of its own: who fails often is to wait. */
  #ask(node: SimulatedNode, action: string, request: object) {
    const from = `10.0.0.${++this.#asked}`;
    return answerOf(this.#world, node, (engine) =>
      engine.people(anonymous, peopledHub, action, request, from),
    );
  }

  async #userOf(node: SimulatedNode, token: string): Promise<string> {
    const entered = await this.#known(() =>
      answerOf(this.#world, node, (engine) => engine.enter(peopledHub, token)),
    );
    return entered.ok ? entered.value.actor : entered.error.code;
  }

  /** What is not known now may be in a moment. */
  async #known<
    T extends { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } },
  >(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await ask();
      const isOver = answer.ok || answer.error.code === 'UNAUTHENTICATED';
      if (isOver || this.#world.nowMs() >= this.#knownUntil) return answer;
      await this.#world.pass(againMs);
    }
  }
}
