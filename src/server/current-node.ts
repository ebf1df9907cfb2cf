/** A node that begins alone, and goes on among others once it finds some: its log is closed and opened anew for that, so what
 *  was said alone and what is said under a ring never mix. Shells talk to whichever engine there is. */
import type { HubName } from '../base/ids.js';
import type { ClusterApi, NodeApi, NodeStatus } from '../engine/api.js';
import type { Engine } from '../engine/engine.js';

export class CurrentNode implements NodeApi {
  #engine: Engine;
  #changing: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Goes on as that engine. Sessions end with a code after which clients come back. */
  become(make: () => Promise<Engine>): Promise<void> {
    const changing = this.#changing.then(async () => {
      if (this.#isStopping) return;
      await this.#engine.stop();
      this.#engine = await make();
      if (!this.#isStopping) await this.#engine.start();
    });
    this.#changing = changing.catch(() => undefined);
    return changing;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#changing;
    await this.#engine.stop();
  }

  /** Whether something was ever written to its log. */
  async holdsEntries(): Promise<boolean> {
    for (const hub of await this.#engine.hubs()) {
      const page = await this.#engine.channels(hub, { limit: 1 });
      if (page.ok && page.value.length > 0) return true;
    }
    return false;
  }

  // --- NodeApi

  authenticate: NodeApi['authenticate'] = (token) => this.#engine.authenticate(token);
  openSession: NodeApi['openSession'] = (request) => this.#engine.openSession(request);
  enter: NodeApi['enter'] = (...request) => this.#engine.enter(...request);
  count: NodeApi['count'] = (...request) => this.#engine.count(...request);
  ticket: NodeApi['ticket'] = (...request) => this.#engine.ticket(...request);
  redeem: NodeApi['redeem'] = (...request) => this.#engine.redeem(...request);
  call: NodeApi['call'] = (...request) => this.#engine.call(...request);
  people: NodeApi['people'] = (...request) => this.#engine.people(...request);
  createHub: NodeApi['createHub'] = (...request) => this.#engine.createHub(...request);
  deleteHub: NodeApi['deleteHub'] = (...request) => this.#engine.deleteHub(...request);
  settings: NodeApi['settings'] = (hub) => this.#engine.settings(hub);
  changeSettings: NodeApi['changeSettings'] = (...request) => this.#engine.changeSettings(...request);
  publish: NodeApi['publish'] = (...request) => this.#engine.publish(...request);
  redact: NodeApi['redact'] = (...request) => this.#engine.redact(...request);
  deleteChannel: NodeApi['deleteChannel'] = (...request) => this.#engine.deleteChannel(...request);
  trimChannel: NodeApi['trimChannel'] = (...request) => this.#engine.trimChannel(...request);
  history: NodeApi['history'] = (...request) => this.#engine.history(...request);
  document: NodeApi['document'] = (...request) => this.#engine.document(...request);
  documentChanges: NodeApi['documentChanges'] = (...request) => this.#engine.documentChanges(...request);
  notifications: NodeApi['notifications'] = (...request) => this.#engine.notifications(...request);
  presence: NodeApi['presence'] = (...request) => this.#engine.presence(...request);
  occupancy: NodeApi['occupancy'] = (...request) => this.#engine.occupancy(...request);
  queryLog: NodeApi['queryLog'] = (...request) => this.#engine.queryLog(...request);
  waitForMore: NodeApi['waitForMore'] = (...request) => this.#engine.waitForMore(...request);
  channels: NodeApi['channels'] = (...request) => this.#engine.channels(...request);
  digest: NodeApi['digest'] = (...request) => this.#engine.digest(...request);

  hubs(): Promise<readonly HubName[]> {
    return this.#engine.hubs();
  }

  status(): NodeStatus {
    return this.#engine.status();
  }

  get cluster(): ClusterApi | undefined {
    return this.#engine.cluster;
  }
}
