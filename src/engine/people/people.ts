/** What people ask of the directories of hubs: they register, log in, change and delete their accounts. */
import { fromBase64, toBase64Url, toHex, utf8 } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Outcome } from '../../hubs/fold.js';
import { type Person, type UserAction, type UserRequest, challengeText } from '../../people/requests.js';
import { type User, type UserChange, encodeUserChange } from '../../people/users.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { PeopleAnswer, Principal } from '../api.js';
import type { Secrets } from '../ports.js';
import { Directories, type DirectoriesHost, type Directory, noDirectory, providerIn } from './directories.js';
import { HubTokens } from './hub-tokens.js';
import { KeyRemoval } from './key-removal.js';
import { OneUse } from './one-use.js';
import { PublicKeys } from './public-keys.js';
import { PersonKeys, type PersonKeysHost } from './person-keys.js';
import { OwnTallies, type Tallies } from './tallies.js';
import { Tickets } from './tickets.js';

export interface PeopleHost extends DirectoriesHost, Omit<PersonKeysHost, 'secrets'> {
  /** Whoever is known in the hub may list its users. */
  mayList(hub: HubName): boolean;
  /** Its account goes: it is in no group any more. */
  leaves(hub: HubName, user: string): Promise<Result<unknown, Failure>>;
}

export interface Asking {
  readonly principal: Principal;
  /** The address it comes from. */
  readonly remote: string;
}

type Answer = Result<PeopleAnswer, Failure>;

export class People {
  readonly #directories: Directories;
  readonly #tallies: Tallies;
  readonly #keys: PersonKeys;
  readonly publicKeys: PublicKeys;
  readonly tokens: HubTokens;
  readonly keyRemoval: KeyRemoval;
  readonly tickets: Tickets;
  /** For which account is read in place of one that is not there: nobody else can tell. */
  readonly #naming: Uint8Array;
  readonly #challenges: OneUse<{ readonly name: string }>;

  constructor(
    readonly host: PeopleHost,
    readonly secrets: Secrets,
  ) {
    this.#keys = new PersonKeys({ ...host, secrets });
    this.#directories = new Directories(host);
    this.publicKeys = new PublicKeys(this.#directories, this.#keys);
    this.tokens = new HubTokens(this.#directories, secrets);
    this.keyRemoval = new KeyRemoval(this.#directories, this.#keys, host.ports.clock);
    this.#tallies = host.ports.tallies ?? new OwnTallies(host.ports.clock);
    this.tickets = new Tickets(this.tokens, this.#tallies);
    this.#naming = secrets.randomBytes(32);
    this.#challenges = new OneUse(this.tokens, this.#tallies, {
      use: 'challenge',
      lifeMs: limits.challengeMs,
    });
  }

  stop(): void {
    this.#directories.stop();
  }

  /** Lets directories go that nobody uses. */
  tick(used: ReadonlySet<HubName>): void {
    this.#directories.tick(used);
  }

  async request(hub: HubName, action: UserAction, request: UserRequest, asking: Asking): Promise<Answer> {
    const directory = await this.#directories.of(hub);
    return directory.ok ? this.#answer(action, directory.value, request, asking) : directory;
  }

  /** An administrator goes on without what is lost; whether anything was. */
  acceptLosses(hub: HubName, actor: string): Promise<Result<boolean, Failure>> {
    return this.#directories.acceptLosses(hub, actor);
  }

  /** Resolves once the people of the hub are known here, if they can be. */
  async ready(hub: HubName): Promise<void> {
    await this.#directories.of(hub);
  }

  /** Why a user cannot be written to. Only a hub whose one provider is its directory knows all its users. */
  recipient(hub: HubName, channel: string, name: string): Failure | undefined {
    const view = this.host.viewOf(hub);
    if (view?.providers.size !== 1 || !providerIn(view)) return undefined;
    const users = this.#directories.known(hub);
    if (users?.isWhole === true)
      return users.find(name)?.sealed ? undefined : failure('USER_NOT_FOUND', { channel });
    void this.#directories.of(hub);
    return failure('UNAVAILABLE', { channel, retryAfterMs: 200 });
  }

  // What people ask.

  #answer(action: UserAction, directory: Directory, request: UserRequest, asking: Asking): Promise<Answer> {
    switch (action) {
      case 'register':
        return this.#register(directory, request, asking);
      case 'challenge':
        return this.#challenge(directory, request);
      case 'login':
        return this.#logIn(directory, request, asking);
      case 'profile':
        return this.#profile(directory, request, asking);
      case 'change':
        return this.#change(directory, request, asking);
      case 'delete':
        return this.#delete(directory, request, asking);
      case 'list':
        return this.#list(directory, request, asking);
      case 'key':
        return this.#publicKey(directory, request, asking);
    }
  }

  async #register(directory: Directory, request: UserRequest, { principal }: Asking): Promise<Answer> {
    const { hub, fold } = directory;
    const provider = providerIn(this.host.viewOf(hub));
    if (!principal.admin && provider?.directory.registration !== true)
      return err(failure('DENIED', { message: 'Only administrators register people in this hub.' }));
    const { name } = request;
    if (name === undefined) return invalid('A registration has a "name".');
    if (request.password === undefined && request.publicKey === undefined)
      return invalid('A registration has a "password", a "publicKey", or both.');
    const refused = directory.users.refused(name, true);
    if (refused) return err(refusalOf(refused));
    const person = await this.#applied({}, request);
    if (!person.ok) return person;
    const id = toHex(this.secrets.randomBytes(12));
    const sealed = await this.#keys.make(hub, id, person.value);
    if (!sealed.ok) return sealed;
    const change = entryOf({ type: 'register', name, id, sealed: sealed.value, living: true });
    const outcome = await fold.change(change, name);
    if (!outcome.ok) return outcome;
    if (!outcome.value.isVoid || planted('names-by-look')) return ok({ name });
    // Somebody else was first in the order of the log. What was sealed for nobody is nobody's.
    await this.#keys.destroy(hub, id);
    return err(refusalOf(outcome.value));
  }

  async #challenge({ hub }: Directory, { name }: UserRequest): Promise<Answer> {
    if (name === undefined) return invalid('A challenge is for a "name".');
    // Whether there is such a user is not told.
    const challenge = await this.#challenges.give(hub, { name });
    return challenge.ok ? ok({ challenge: challenge.value, expiresInMs: limits.challengeMs }) : challenge;
  }

  async #logIn(directory: Directory, request: UserRequest, { remote }: Asking): Promise<Answer> {
    const { hub, users } = directory;
    const { name = '' } = request;
    const account = `${hub} ${name}`;
    const attempt = await this.#tallies.attempt(account, remote);
    if (attempt.waitMs > 0) return tooOften(attempt.waitMs);
    const user = users.find(name);
    const proven = await this.#proves(directory, user, request);
    if (!proven.ok || (proven.value && user)) this.#tallies.giveBack(attempt.counted);
    if (!proven.ok) return proven;
    if (!proven.value || !user) {
      return err(failure('UNAUTHENTICATED', { message: 'The name, password or signature is not right.' }));
    }
    this.#tallies.succeeded(account, remote);
    const token = await this.#token(directory, user);
    if (token.ok && request.password !== undefined) await this.#renewHash(directory, user, request.password);
    return token;
  }

  /** Takes the same time, and fails alike, whether there is such a user or not: where there is none, what is known of another is
   *  read, always the same for that name, and nothing is made of it. */
  async #proves(
    { hub, users }: Directory,
    user: User | undefined,
    request: UserRequest,
  ): Promise<Result<boolean, Failure>> {
    const { name = '', password, challenge, signature } = request;
    const read = user?.sealed ? user : users.some(this.#numberOf(hub, name));
    const opened = read && (await this.#keys.open(hub, read));
    if (opened && !opened.ok) return opened;
    const person = opened && read === user ? opened.value : {};
    if (password === undefined && challenge === undefined && signature === undefined)
      return invalid('A log-in has a "password", or a "challenge" and its "signature".');
    return this.#isProof(hub, name, person, request);
  }

  #numberOf(hub: HubName, name: string): number {
    const [a = 0, b = 0, c = 0] = this.secrets.mac(this.#naming, utf8(`${hub}\n${name}`));
    return (a << 16) | (b << 8) | c;
  }

  /** Whether a password or a signed challenge is that of a person. */
  async #isProof(
    hub: HubName,
    name: string,
    person: Person,
    { password = '', challenge, signature }: Pick<UserRequest, 'password' | 'challenge' | 'signature'>,
  ): Promise<Result<boolean, Failure>> {
    if (challenge !== undefined || signature !== undefined) {
      const given = await this.#challenges.read(hub, challenge ?? '');
      if (!given.ok) return given;
      const isGiven = given.value?.name === name;
      if (!isGiven || signature === undefined) return ok(false);
      // Looked at where there is no key to sign by as well.
      const [key, signed] = [fromBase64(person.publicKey ?? nobodysKey)!, fromBase64(signature)!];
      const isSigned = this.secrets.isSignature(key, challengeText(hub, name, challenge!), signed);
      // By its owner alone: what anybody can send uses nothing up.
      return isSigned && person.publicKey !== undefined ? this.#challenges.take(given.value) : ok(false);
    }
    const checked = this.secrets.checkPassword(password, person.password);
    return checked ? ok(await checked) : tooMany();
  }

  /** What is taken for a hash rises over the years; a log-in is when there is a password to hash. That it fails now harms nothing. */
  async #renewHash(
    { hub, fold }: Directory,
    { name, id, version, sealed }: User,
    given: string,
  ): Promise<void> {
    const before = await this.#keys.open(hub, { id, sealed });
    const stored = before.ok ? before.value.password : undefined;
    if (!before.ok || stored === undefined || !this.secrets.isOutdated(stored)) return;
    const password = await this.secrets.hashPassword(given);
    if (password === undefined) return;
    const renewed = await this.#keys.seal(hub, id, { ...before.value, password });
    if (!renewed.ok) return;
    await fold.change(
      entryOf({ type: 'change', name, id, version, sealed: renewed.value, ends: false }),
      name,
    );
  }

  async #token(directory: Directory, user: User): Promise<Answer> {
    const issued = await this.tokens.issue(directory, user);
    if (!issued.ok) return issued;
    return ok({ user: user.name, token: issued.value.token, expiresAt: issued.value.expiresAtMs });
  }

  async #profile(directory: Directory, request: UserRequest, asking: Asking): Promise<Answer> {
    const user = this.#own(directory, request, asking);
    if (!user.ok) return user;
    const person = await this.#keys.open(directory.hub, user.value);
    if (!person.ok) return person;
    const { password, ...shown } = person.value;
    const since = new Date(user.value.sinceMs).toISOString();
    return ok({ name: user.value.name, since, hasPassword: password !== undefined, ...shown });
  }

  async #change(directory: Directory, request: UserRequest, asking: Asking): Promise<Answer> {
    const { hub, fold } = directory;
    const user = this.#own(directory, request, asking);
    if (!user.ok) return user;
    const before = await this.#keys.open(hub, user.value);
    if (!before.ok) return before;
    const ends = request.password !== undefined || request.publicKey !== undefined;
    if (ends && !asking.principal.admin) {
      const shown = await this.#shows(hub, user.value.name, before.value, request, asking.remote);
      if (!shown.ok) return shown;
    }
    const person = await this.#applied(before.value, request);
    if (!person.ok) return person;
    const sealed = await this.#keys.seal(hub, user.value.id, person.value);
    if (!sealed.ok) return sealed;
    const { name, id, version } = user.value;
    const change = entryOf({ type: 'change', name, id, version, sealed: sealed.value, ends });
    const outcome = await fold.change(change, asking.principal.actor);
    if (!outcome.ok) return outcome;
    return outcome.value.isVoid
      ? err(failure('UNAVAILABLE', { message: outcome.value.reason, retryAfterMs: 100 }))
      : ok({ name });
  }

  /** What lets one in is changed only by who can show what lets one in now: a token may have been stolen. */
  async #shows(
    hub: HubName,
    name: string,
    person: Person,
    request: UserRequest,
    remote: string,
  ): Promise<Result<void, Failure>> {
    const { currentPassword, challenge, signature } = request;
    const isSigned = challenge !== undefined || signature !== undefined;
    if (currentPassword === undefined && !isSigned)
      return denied(
        'It takes the "currentPassword", or a "challenge" and its "signature" by the present key.',
      );
    const account = `${hub} ${name}`;
    const attempt = await this.#tallies.attempt(account, remote);
    if (attempt.waitMs > 0) return tooOften(attempt.waitMs);
    const proof = isSigned ? request : { password: currentPassword! };
    const proven = await this.#isProof(hub, name, person, proof);
    if (!proven.ok || proven.value) this.#tallies.giveBack(attempt.counted);
    if (!proven.ok) return proven;
    if (proven.value) return ok(undefined);
    return denied(isSigned ? 'The "signature" is not right.' : '"currentPassword" is not right.');
  }

  async #list({ hub, users }: Directory, request: UserRequest, { principal }: Asking): Promise<Answer> {
    if (!principal.authenticated) return err(failure('UNAUTHENTICATED'));
    if (!principal.admin && !this.host.mayList(hub)) return denied('In this hub users are not listed.');
    const { after = '' } = request;
    const limit = Math.min(request.limit ?? limits.usersPageMax, limits.usersPageMax);
    const page = users.list(after, limit);
    const shown = page.map(({ name, sinceMs }) => ({ name, since: new Date(sinceMs).toISOString() }));
    return ok({ users: shown, ...(page.length === limit ? { next: page.at(-1)!.name } : {}) });
  }

  /** Public: of anybody, for whoever is known. */
  async #publicKey({ hub }: Directory, { name }: UserRequest, { principal }: Asking): Promise<Answer> {
    if (!principal.authenticated) return err(failure('UNAUTHENTICATED'));
    const key = name === undefined ? ok(undefined) : await this.publicKeys.find(hub, name);
    if (!key.ok) return key;
    return key.value === undefined
      ? err(failure('NOT_FOUND', { message: 'There is no such user with a key.' }))
      : ok({ name, publicKey: key.value });
  }

  async #delete(directory: Directory, request: UserRequest, asking: Asking): Promise<Answer> {
    const { hub, fold, users } = directory;
    const { admin, actor } = asking.principal;
    const name = admin ? request.name : actor;
    const known = name === undefined ? undefined : users.find(name);
    // Again where only the key is left: the one that asked first may not have come so far.
    const user = admin && known && !known.sealed ? ok(known) : this.#own(directory, request, asking);
    if (!user.ok) return user;
    const { id } = user.value;
    // As long as it is known, so that it can ask again.
    const left = await this.host.leaves(hub, user.value.name);
    if (!left.ok) return left;
    if (user.value.sealed) {
      const outcome = await fold.change(entryOf({ type: 'delete', name: user.value.name, id }), actor);
      if (!outcome.ok) return outcome;
    }
    const destroyed = await this.#keys.destroy(hub, id);
    return destroyed.ok ? ok({ name: user.value.name }) : destroyed;
  }

  /** The account of who asks, or of the one an administrator names. */
  #own({ users }: Directory, { name }: UserRequest, { principal }: Asking): Result<User, Failure> {
    if (!principal.authenticated) return err(failure('UNAUTHENTICATED'));
    const isOwn = principal.account !== undefined && (name === undefined || name === principal.actor);
    if (!principal.admin && !isOwn) return err(failure('DENIED', { message: 'That is another’s account.' }));
    const user = users.find(name ?? principal.actor);
    return user?.sealed ? ok(user) : err(failure('NOT_FOUND', { message: 'There is no such user.' }));
  }

  async #applied(before: Person, request: UserRequest): Promise<Result<Person, Failure>> {
    const { password, publicKey, email, metadata } = request;
    if (publicKey !== undefined && !this.secrets.isUsableKey(fromBase64(publicKey)!))
      return invalid('Anybody can make signatures for this "publicKey". Make a new one.');
    const hashing = password === undefined ? undefined : this.secrets.hashPassword(password);
    if (password !== undefined && !hashing) return tooMany();
    const { email: emailBefore, ...rest } = before;
    const kept = email === undefined ? emailBefore : email;
    return ok({
      ...rest,
      ...(kept === null || kept === undefined ? {} : { email: kept }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(publicKey === undefined ? {} : { publicKey }),
      ...(hashing ? { password: await hashing } : {}),
    });
  }
}

/** A point of the curve, and no account's key. */
const nobodysKey = toBase64Url(new Uint8Array(32).fill(0x66).fill(0x58, 0, 1));

/** Of a node that keeps none. */
export const noPeople: Pick<People, 'request'> = { request: () => Promise.resolve(noDirectory()) };

const entryOf = (change: UserChange) => encodeUserChange(change);

function refusalOf({ code = 'NAME_TAKEN', reason }: Outcome & { readonly isVoid: true }): Failure {
  return code === 'NAME_TAKEN' ? failure(code) : failure(code, { message: reason });
}

function denied(message: string): Result<never, Failure> {
  return err(failure('DENIED', { message }));
}

function invalid(message: string): Result<never, Failure> {
  return err(failure('INVALID', { message }));
}

/** Of whoever failed too often, from that address. */
function tooOften(retryAfterMs: number): Result<never, Failure> {
  return err(failure('RATE_LIMITED', { message: 'Too many failed log-ins. Wait.', retryAfterMs }));
}

function tooMany(): Result<never, Failure> {
  return err(
    failure('OVERLOADED', {
      message: 'Too many log-ins at once. Wait, then try again.',
      retryAfterMs: 1_000,
    }),
  );
}
