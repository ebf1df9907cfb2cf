/** The service of proto/peer-transport.proto, as gRPC is told of it. Messages are bytes and stay so. */
import { createSecureContext } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { limits } from '../base/limits.js';
import { refusingCrumbs } from './crumbs.js';
import { type Hello, decodeHello, encodeHello } from './hello.js';
import { type Security, provenBy, tlsOf } from './security.js';

const asTheyAre = (bytes: Buffer): Buffer => bytes;

const bytesBothWays = {
  requestSerialize: asTheyAre,
  requestDeserialize: asTheyAre,
  responseSerialize: asTheyAre,
  responseDeserialize: asTheyAre,
} as const;

const path = '/ringlog.peer.v1.Peer/';

export const peerService = {
  link: { path: `${path}Link`, requestStream: true, responseStream: true, ...bytesBothWays },
  ask: { path: `${path}Ask`, requestStream: false, responseStream: false, ...bytesBothWays },
  carry: { path: `${path}Carry`, requestStream: false, responseStream: false, ...bytesBothWays },
} as const satisfies grpc.ServiceDefinition;

export type LinkCall = grpc.ClientDuplexStream<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>;

const sharedOptions: grpc.ChannelOptions = {
  'grpc.max_receive_message_length': limits.peerFrameBytesMax,
  'grpc.max_send_message_length': limits.peerFrameBytesMax,
  'grpc.keepalive_time_ms': limits.peerKeepaliveMs,
  'grpc.keepalive_timeout_ms': limits.peerKeepaliveTimeoutMs,
};

export const serverOptions: grpc.ServerOptions = {
  ...sharedOptions,
  'grpc.max_concurrent_streams': limits.peerStreamsMax,
  'grpc.max_connection_idle_ms': 60_000,
  'grpc.enable_channelz': 0,
  interceptors: [refusingCrumbs],
};

/** A name nobody looks up: who answers is told by its certificate. */
const serverName = 'peer.ringlog.internal';

const clientOptions: grpc.ChannelOptions = {
  ...sharedOptions,
  'grpc.ssl_target_name_override': serverName,
  'grpc.default_authority': serverName,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc-node.flow_control_window': limits.peerWindowBytes,
};

/** A connection of its own for each client: one that failed is no hindrance to the next. */
export function clientMaker(security: Security): (address: string) => grpc.Client {
  const credentials = credentialsOf(security);
  return (address) => new grpc.Client(address, credentials, clientOptions);
}

function credentialsOf(security: Security): grpc.ChannelCredentials {
  if (security.kind === 'plain') return grpc.credentials.createInsecure();
  const context = createSecureContext(tlsOf(security.certificates));
  return grpc.credentials.createFromSecureContext(context, {
    checkServerIdentity: (_host, found) =>
      provenBy(found) ? undefined : new Error('the certificate is for no node'),
  });
}

// Who calls, and who answers.

const helloKey = 'ringlog-hello-bin';

export function metadataOf(hello: Hello): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set(helloKey, Buffer.from(encodeHello(hello)));
  return metadata;
}

export function helloIn(metadata: grpc.Metadata): Hello | undefined {
  const [value] = metadata.get(helloKey);
  return Buffer.isBuffer(value) ? decodeHello(value) : undefined;
}
