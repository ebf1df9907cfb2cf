/** The hubs as this node knows them: which there are, and what goes for each. A hub that has settings is followed while
 *  somebody uses it, one without costs nothing; where a node is told to keep no settings the configuration is all there
 *  is. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { isSystemChannel, systemHub } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { receiptsOf } from '../../channels/receipt-channels.js';
import { type RuleConfig, type RuleSet, hasRetention, receiptRules, rulesFor } from '../../channels/rules.js';
import { Catalog, type Cleared, type Deleting, type HubEvent, encodeHubEvent } from '../../hubs/catalog.js';
import { type Change, type SettingsDocument, encodeChange } from '../../hubs/change.js';
import type { Provider } from '../../hubs/provider.js';
import { type HubView, Settings, viewOf } from '../../hubs/settings.js';
import { catalogRef, hasOwnRules, settingsRef, systemRulesOf } from '../../hubs/system-channels.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { SystemFold, type SystemFoldHost } from './system-fold.js';

export interface HubsOptions {
  /** What the configuration says; settings go over it. */
  readonly config: RuleConfig;
  /** Whether hubs can be made and set at run time; without it the configuration is all there is. */
  readonly isKept: boolean;
  /** A hub nobody knows is made by whoever uses it first. */
  readonly createOnUse: boolean;
  /** Of every hub, as far as its settings name no others. */
  readonly providers?: Readonly<Record<string, Provider>> | undefined;
}

export interface HubsHost extends SystemFoldHost {
  /** What goes for the hub is another: for all who are there. */
  changed(hub: HubName): void;
  /** Whether what is decided of that channel is heard of here; of none: of every channel. */
  reaches(ref?: ChannelRef): boolean;
}

interface Active {
  readonly fold: SystemFold<Settings>;
  view: HubView | undefined;
  usedMs: number;
}

export class Hubs {
  readonly #host: HubsHost;
  readonly #options: HubsOptions;
  readonly #catalog: SystemFold<Catalog> | undefined;
  readonly #active = new Map<HubName, Active>();
  /** Of hubs that have no settings. */
  readonly #plain = new Map<HubName, HubView>();
  /** Since when changes of a hub's settings may go unheard here. */
  readonly #lostMs = new Map<HubName, number>();
  /** The list of hubs as it was looked at last. */
  #looked: Catalog | undefined;
  #made = { sinceMs: -Infinity, count: 0 };

  constructor(host: HubsHost, options: HubsOptions) {
    this.#host = host;
    this.#options = options;
    if (!options.isKept) return;
    this.#catalog = new SystemFold(
      catalogRef,
      host,
      () => new Catalog(),
      () => this.#catalogChanged(),
    );
  }

  start(): void {
    this.#catalog?.start();
  }

  stop(): void {
    this.#catalog?.stop();
    for (const { fold } of this.#active.values()) fold.stop();
    this.#active.clear();
  }

  /** Made at run time, as far as this node knows. */
  get made(): readonly HubName[] {
    return this.#catalog?.state?.hubs ?? [];
  }

  get isKept(): boolean {
    return this.#catalog !== undefined;
  }

  /** Whether retention may remove anything, in any hub. */
  get mayRetain(): boolean {
    return this.isKept || hasRetention(this.#options.config);
  }

  exists(hub: HubName): boolean {
    return hub === systemHub || Object.hasOwn(this.#options.config.hubs, hub) || this.#hasSettings(hub);
  }

  /** What goes for a hub; `undefined` where there is none, or it is not known yet. */
  view(hub: HubName): HubView | undefined {
    if (!this.exists(hub)) return undefined;
    if (this.#isUnlisted && hub === systemHub) return undefined;
    if (this.#mayHaveSettings(hub)) return this.#use(hub).view;
    let view = this.#plain.get(hub);
    if (!view) this.#plain.set(hub, (view = this.#viewOf(hub)));
    return view;
  }

  /** What goes for a channel; `undefined` as for `view`. */
  rulesOf({ hub, channel }: ChannelRef): RuleSet | undefined {
    if (hasOwnRules(channel) || (isSystemChannel(channel) && this.#catalog)) return systemRulesOf(channel);
    const view = this.view(hub);
    const of = receiptsOf(channel);
    const rules = view && rulesFor(view.rules, hub, of ?? channel);
    return rules && of !== undefined ? receiptRules(rules) : rules;
  }

  /** Why a hub that is asked for cannot be served. */
  missing(hub: HubName): Failure {
    if (this.deleting.has(hub)) return beingDeleted(hub);
    return this.exists(hub) || (this.#catalog && !this.#catalog.state) ? notNow() : failure('HUB_NOT_FOUND');
  }

  /** Resolves once it is known what goes for the hub, which is made if that is how hubs come about. */
  async ready(hub: HubName): Promise<Result<HubView, Failure>> {
    const known = this.view(hub);
    if (known) return ok(known);
    if (this.#catalog && !this.exists(hub) && !(await this.#catalog.ready())) return err(notNow());
    if (!this.exists(hub)) {
      const made = this.#options.createOnUse ? await this.#makeOnUse(hub) : err(failure('HUB_NOT_FOUND'));
      if (!made.ok) return made;
    }
    if (this.#mayHaveSettings(hub)) await this.#use(hub).fold.ready();
    const view = this.view(hub);
    return view ? ok(view) : err(notNow());
  }

  /** For a look in passing, which does not keep the hub in memory. */
  async looked(hub: HubName): Promise<HubView | undefined> {
    const active = this.#active.get(hub);
    const usedMs = active?.usedMs ?? 0;
    const known = this.view(hub);
    if (active) active.usedMs = usedMs;
    if (known) return known;
    const ready = await this.ready(hub);
    return ready.ok ? ready.value : undefined;
  }

  /** True when it was made now, false when it was there. */
  async create(hub: HubName, actor: string): Promise<Result<boolean, Failure>> {
    if (!this.#catalog) return err(failure('UNSUPPORTED', { message: 'This node keeps no settings.' }));
    if (!(await this.#catalog.ready())) return err(notNow());
    if (this.#hasSettings(hub)) return ok(false);
    if (this.deleting.has(hub)) return err(beingDeleted(hub));
    const outcome = await this.#catalog.change(encodeHubEvent('create', hub), actor);
    if (!outcome.ok) return outcome;
    if (!this.#hasSettings(hub))
      return err(failure('TOO_MANY', { message: outcome.value.isVoid ? outcome.value.reason : '' }));
    return ok(!outcome.value.isVoid);
  }

  /** From then on nobody can use it; what it holds goes in the background. */
  async delete(hub: HubName, actor: string): Promise<Result<void, Failure>> {
    if (Object.hasOwn(this.#options.config.hubs, hub))
      return err(
        failure('INVALID', { message: 'The hub stands in the configuration: take it out of there first.' }),
      );
    if (!this.#catalog) return err(failure('UNSUPPORTED', { message: 'This node keeps no settings.' }));
    if (!(await this.#catalog.ready())) return err(notNow());
    if (this.deleting.has(hub)) return ok(undefined);
    return await this.note('delete', hub, actor);
  }

  /** Writes down what became of a hub. */
  async note(
    event: HubEvent,
    hub: HubName,
    actor: string,
    cleared?: Cleared,
  ): Promise<Result<void, Failure>> {
    const outcome = await this.#catalog?.change(encodeHubEvent(event, hub, cleared), actor);
    if (!outcome?.ok) return err(outcome?.error ?? notNow());
    return outcome.value.isVoid ? err(failure('HUB_NOT_FOUND')) : ok(undefined);
  }

  get deleting(): Deleting {
    return this.#catalog?.state?.deleting ?? none;
  }

  /** Durable, and in force here, once it resolves. */
  async change(hub: HubName, change: Change, actor: string): Promise<Result<void, Failure>> {
    if (hub === systemHub || !this.exists(hub)) return err(failure('HUB_NOT_FOUND'));
    // A hub of the configuration is followed from its first setting on.
    const listed = await this.create(hub, actor);
    if (!listed.ok) return listed;
    const { fold } = this.#use(hub);
    if (!(await fold.ready())) return err(notNow());
    const outcome = await fold.change(encodeChange(change), actor);
    if (!outcome.ok) return outcome;
    if (!outcome.value.isVoid) return ok(undefined);
    return err(
      failure(change.type === 'remove' ? 'NOT_FOUND' : 'INVALID', { message: outcome.value.reason }),
    );
  }

  async document(hub: HubName): Promise<Result<SettingsDocument, Failure>> {
    if (this.#catalog && !(await this.#catalog.ready())) return err(notNow());
    if (hub === systemHub || !this.exists(hub)) return err(failure('HUB_NOT_FOUND'));
    if (!this.#hasSettings(hub)) return ok({});
    const { fold } = this.#use(hub);
    await fold.ready();
    return fold.state ? ok(fold.state.document()) : err(notNow());
  }

  /** For how long changes of its settings may have gone unheard here. */
  unheardMs(hub: HubName): number {
    const lostMs = this.#lostMs.get(hub);
    return lostMs === undefined ? 0 : this.#nowMs() - lostMs;
  }

  /** A hub that leaves memory meanwhile and comes back is no better known than before. */
  #listen(nowMs: number): void {
    if (this.#lostMs.size === 0 && this.#host.reaches()) return;
    for (const hub of new Set([...this.#active.keys(), ...this.#lostMs.keys()])) {
      if (this.#host.reaches(settingsRef(hub))) this.#lostMs.delete(hub);
      else if (!this.#lostMs.has(hub)) this.#lostMs.set(hub, nowMs);
    }
  }

  /** Lets hubs go that nobody uses; `used`: those that somebody does. */
  tick(used: ReadonlySet<HubName>): void {
    const nowMs = this.#nowMs();
    this.#listen(nowMs);
    for (const [hub, active] of this.#active) {
      if (used.has(hub)) active.usedMs = nowMs;
      if (nowMs - active.usedMs < limits.hubIdleMs) continue;
      this.#active.delete(hub);
      active.fold.stop();
    }
    if (this.#plain.size > limits.settingsPerSectionMax) this.#plain.clear();
  }

  #viewOf(hub: HubName, settings?: SettingsDocument): HubView {
    const { config, providers } = this.#options;
    return viewOf(hub, config, settings, providers);
  }

  /** It is not known yet which hubs there are. */
  get #isUnlisted(): boolean {
    return this.#catalog !== undefined && this.#catalog.state === undefined;
  }

  /** Of a hub of the configuration its own settings say all, listed or not. */
  #mayHaveSettings(hub: HubName): boolean {
    return hub !== systemHub && (this.#isUnlisted || this.#hasSettings(hub));
  }

  #hasSettings(hub: HubName): boolean {
    const catalog = this.#catalog?.state;
    if (catalog === undefined || hub === systemHub) return false;
    return catalog.has(hub) || (!catalog.isWhole && !catalog.deleting.has(hub));
  }

  /** `view`: what goes until its settings are read, of a hub that had none. */
  #use(hub: HubName, view?: HubView): Active {
    let active = this.#active.get(hub);
    if (!active) {
      const made: Active = {
        view,
        usedMs: this.#nowMs(),
        fold: new SystemFold(
          settingsRef(hub),
          this.#host,
          () => new Settings(),
          () => this.#settingsChanged(hub, made),
        ),
      };
      this.#active.set(hub, (active = made));
      active.fold.start();
    }
    active.usedMs = this.#nowMs();
    return active;
  }

  #settingsChanged(hub: HubName, active: Active): void {
    const { state } = active.fold;
    if (!state || this.#active.get(hub) !== active) return;
    // What is missing may have closed something: nobody is let in before an administrator has said anew what goes.
    active.view = state.isWhole ? this.#viewOf(hub, state.document()) : undefined;
    this.#host.changed(hub);
  }

  /** A hub that somebody is in may have its first settings. */
  #catalogChanged(): void {
    const catalog = this.#catalog?.state;
    if (!catalog) return;
    const before = this.#looked;
    this.#looked = catalog;
    const touched = catalog.takeTouched();
    // One that was read anew says nothing of those that it lacks.
    const looked = before === catalog ? touched : [...(before?.hubs ?? []), ...touched];
    for (const hub of looked) {
      if (!catalog.has(hub)) this.#forget(hub);
      else {
        const view = this.#plain.get(hub);
        if (view) this.#use(hub, view);
        this.#plain.delete(hub);
      }
    }
  }

  #forget(hub: HubName): void {
    this.#active.get(hub)?.fold.stop();
    this.#active.delete(hub);
    this.#plain.delete(hub);
    this.#host.changed(hub);
  }

  async #makeOnUse(hub: HubName): Promise<Result<boolean, Failure>> {
    const nowMs = this.#nowMs();
    if (nowMs - this.#made.sinceMs >= 60_000) this.#made = { sinceMs: nowMs, count: 0 };
    if (++this.#made.count > limits.hubsMadePerMinuteMax)
      return err(failure('RATE_LIMITED', { message: 'Too many new hubs at once.', retryAfterMs: 60_000 }));
    return this.create(hub, '');
  }

  #nowMs(): number {
    return this.#host.ports.clock.monotonicMs();
  }
}

const none: Deleting = new Map();

function beingDeleted(hub: HubName): Failure {
  return failure('HUB_NOT_FOUND', { message: `The hub ${hub} is being deleted.` });
}

function notNow(): Failure {
  return failure('UNAVAILABLE', { message: 'What goes for this hub is not known yet.', retryAfterMs: 1_000 });
}
