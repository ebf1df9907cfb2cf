/** What was seen of a hub whose settings change while it is used. Moments number it all in its order: times may be equal. */
import type { Change } from '../../src/hubs/change.js';

/** One change that somebody asked a node for. */
export interface SeenSettingChange {
  /** Numbers all of them from 1, and is said in the log. */
  readonly id: number;
  readonly change: Change;
  readonly life: string;
  sentAt: number;
  /** `void`: it is in the log, and changed nothing. */
  outcome: 'open' | 'acked' | 'void' | 'rejected' | 'indeterminate';
}

/** What one process of a node went by, as it said itself: what a change of that number made of it, or this. */
export interface SeenKnowledge {
  readonly life: string;
  readonly at: number;
  readonly change?: number;
  readonly document?: string;
}

/** Somebody without any right of its own was let do something, or was not. */
export interface SeenGateUse {
  readonly who: string;
  readonly life: string;
  readonly right: 'publish' | 'subscribe';
  readonly what: string;
  readonly isAllowed: boolean;
  readonly sentAt: number;
  readonly at: number;
}

export interface SeenSettingEntry {
  /** Of the change; 0 where it says none. */
  readonly id: number;
  readonly event: string;
  readonly payload: string;
}

/** All nodes at one time. */
export interface SeenSettings {
  readonly when: 'in the end' | 'a second later' | 'out of memory' | 'after a restart';
  /** Changes that somebody had asked for by then. */
  readonly asked: number;
  /** By node, as lines; a code where it says nothing. */
  readonly documents: ReadonlyMap<string, string>;
  /** The log of changes, as each node has it. */
  readonly logs: ReadonlyMap<string, readonly SeenSettingEntry[]>;
}

export class SettingsRecord {
  /** By number, from 1. */
  readonly changes: SeenSettingChange[] = [];
  readonly knowledge: SeenKnowledge[] = [];
  readonly uses: SeenGateUse[] = [];
  /** Who went on without a right, or was not told that it is gone. */
  readonly uncut: string[] = [];
  readonly looks: SeenSettings[] = [];
  #moment = 0;

  moment(): number {
    return ++this.#moment;
  }

  change(change: Change, life: string): SeenSettingChange {
    const sentAt = this.moment();
    const seen: SeenSettingChange = { id: this.changes.length + 1, change, life, sentAt, outcome: 'open' };
    this.changes.push(seen);
    return seen;
  }
}
