/** The order of files: those that take longest begin first, so that none of them runs alone in the end. */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** From the longest on, as `npm test` tells them; what computes stands between what mostly waits for processes. A file that is
 *  not here comes after them, the larger ones first. */
const longest = [
  'e2e/chaos',
  'bench/guard',
  'e2e/workers',
  'simulations/cluster-stories',
  'e2e/contacts',
  'e2e/cluster',
  'e2e/verify',
  'replication/search',
  'e2e/chat',
  'e2e/people',
  'engine/cluster/ring-change',
  'e2e/discovery',
  'e2e/editing-trace',
  'e2e/node-commands',
  'e2e/irc-replay',
].map((name) => `test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? longest.length : at;
    };
    // Of the same place: as they came.
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
