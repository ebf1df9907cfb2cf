/** A name server on this machine that knows what a test tells it: A and SRV records, over UDP (RFC 1035, RFC 2782). */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const types = { a: 1, srv: 33 } as const;
const nobody = 3;

export interface NameServer {
  readonly port: number;
  readonly a: Map<string, readonly string[]>;
  readonly srv: Map<string, readonly { readonly host: string; readonly port: number }[]>;
  /** Questions so far. */
  asked: number;
  stop(): void;
}

export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const server: NameServer = {
    port: socket.address().port,
    a: new Map(),
    srv: new Map(),
    asked: 0,
    stop: () => socket.close(),
  };
  socket.on('message', (question, from) => {
    server.asked++;
    socket.send(answerTo(question, server), from.port, from.address);
  });
  return server;
}

function answerTo(question: Buffer, { a, srv }: NameServer): Buffer {
  const { name, end } = nameAt(question, 12);
  const type = question.readUInt16BE(end);
  const records: Buffer[] = [];
  if (type === types.a)
    for (const address of a.get(name) ?? []) records.push(Buffer.from(address.split('.').map(Number)));
  if (type === types.srv)
    for (const { host, port } of srv.get(name) ?? []) {
      const place = Buffer.alloc(6);
      place.writeUInt16BE(port, 4);
      records.push(Buffer.concat([place, encoded(host)]));
    }
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  const isKnown = a.has(name) || srv.has(name);
  head.writeUInt16BE(0x8180 | (isKnown ? 0 : nobody), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  const answers = records.map((data) => {
    // The name of the question, class IN, for no time at all.
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([head, question.subarray(12, end + 4), ...answers]);
}

function nameAt(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = bytes[at]!; length > 0; length = bytes[at]!) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function encoded(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

/** `NODE_OPTIONS` of a process that asks that server. */
export function askingAt({ port }: NameServer): string {
  const program = `import dns from 'node:dns'; dns.setServers(['127.0.0.1:${port}']);`;
  return `--import=data:text/javascript,${encodeURIComponent(program).replaceAll("'", '%27')}`;
}
