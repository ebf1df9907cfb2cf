/** The smallest whole story: a node in this process, a publisher, and a subscriber that goes on exactly where it was after
 *  the node stopped and started again. `npm run example -- hello` */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'ringlog/client';
import { startServer } from 'ringlog/server';

const data = await mkdtemp(join(tmpdir(), 'ringlog-hello-'));
let server = await startServer({ data: join(data, 'node'), listen: '127.0.0.1:0' });

const client = connect(server.url);
const { id, level, copies } = await client.publish('lobby', { text: 'hello' });
console.log(`published ${id}: level ${level}, copies ${copies}`);
await client.publish('lobby', { text: 'how are you?' });

// Reads one message and remembers its place.
const first = client.subscribe('lobby', { start: 'beginning' });
for await (const message of first) {
  console.log('first reader:', message.data);
  break;
}
const { cursor } = first;
await client.close();

await server.stop();
server = await startServer({ data: join(data, 'node'), listen: '127.0.0.1:0' });
console.log('the node was stopped and started again');

// Somebody else goes on from there: no message twice, none left out.
const later = connect(server.url);
await later.publish('lobby', { text: 'good bye' });
let left = 2;
for await (const message of later.subscribe('lobby', { start: cursor ? { cursor } : 'beginning' })) {
  console.log('second reader:', message.data);
  if (--left === 0) break;
}
await later.close();

await server.stop();
await rm(data, { recursive: true });
