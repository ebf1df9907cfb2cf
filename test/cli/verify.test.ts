import { expect, test } from 'vitest';
import { show } from '../../src/cli/verify-command.js';
import { type VerifyJson, type VerifyPageJson, verifyAll } from '../../src/cli/verify-pages.js';

const style = Object.fromEntries(
  ['bold', 'dim', 'green', 'yellow', 'red', 'cyan'].map((name) => [name, (text: string) => text]),
) as never;

const page = (of: Partial<VerifyPageJson>): VerifyPageJson => ({
  equal: true,
  channels: 10,
  entries: 100,
  homes: [
    { node: 'a', state: 'equal' },
    { node: 'b', state: 'equal' },
  ],
  differences: [],
  more: 0,
  repaired: 0,
  done: 1,
  ...of,
});

const difference = {
  hub: 'default',
  channel: 'chat',
  interval: '0123456789abcdef',
  kind: 'missing',
  homes: ['a', 'b'],
  at: 'b',
};

async function all(
  ...pages: VerifyPageJson[]
): Promise<{ total: VerifyJson; asked: unknown[]; done: number[] }> {
  const asked: unknown[] = [];
  const done: number[] = [];
  const total = await verifyAll({
    after: undefined,
    progress: (share) => void done.push(share),
    page: (after) => {
      asked.push(after);
      return Promise.resolve(pages.shift()!);
    },
  });
  return { total, asked, done };
}

const text = (total: VerifyJson, isRepair = false): string[] => {
  const lines: string[] = [];
  show({ style, line: (each = '') => void lines.push(each) }, total, isRepair);
  return lines;
};

test('pages are asked for to the end of the ring and added up, one that comes again too', async () => {
  const { total, asked, done } = await all(
    page({ done: 0, channels: 0, entries: 0, homes: [], next: '0-6' }),
    page({ done: 0, channels: 0, entries: 0, homes: [], next: '0-8' }),
    page({ done: 0.5, next: '8-1' }),
    page({}),
  );
  expect(asked).toEqual([undefined, '0-6', '0-8', '8-1']);
  expect(done).toEqual([0, 0, 0.5, 1]);
  expect(total).toEqual({
    equal: true,
    channels: 20,
    entries: 200,
    more: 0,
    repaired: 0,
    differences: [],
    homes: page({}).homes,
  });
  expect(text(total)).toEqual([
    'Verified 20 channels, 200 entries: all homes are equal',
    '  a  equal',
    '  b  equal',
  ]);
});

test('one page that is not equal is enough, and the worst of a home is told', async () => {
  const { total } = await all(
    page({
      equal: false,
      done: 0.5,
      next: '8-1',
      differences: [difference],
      more: 3,
      homes: [
        { node: 'b', state: 'differs' },
        { node: 'c', state: 'unreachable' },
      ],
    }),
    page({ homes: [{ node: 'c', state: 'equal' }], repaired: 2 }),
  );
  expect([total.equal, total.homes.map(({ state }) => state)]).toEqual([false, ['differs', 'unreachable']]);
  expect(text(total)).toEqual([
    'Verified 20 channels, 200 entries: not proven equal',
    '  b  differs',
    '  c  unreachable: start it, or let it go, then verify again',
    '  2 differences repaired',
    '  default/chat  missing at b  interval 0123456789abcdef, homes a b',
    '  and 3 more; --json lists up to 10,000',
    '  `ringlog verify --repair` has the nodes bring together what differs.',
  ]);
  expect(text(total, true).at(-1)).toContain('3 more');
});
