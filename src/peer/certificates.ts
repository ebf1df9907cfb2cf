/** Certificates of a node, made in memory at every start. The authority's key is derived from the cluster key, so every
 *  node can sign its own certificate and check all others, and there are no files to hand out. X.509 as in RFC 5280. */
import 'reflect-metadata';
import { createHash, createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { NodeId } from '../base/ids.js';
import { type ClusterKey, derive } from './cluster-key.js';
import { nodeUri } from './node-name.js';

/** PEM texts. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  /** What the authority has taken back (RFC 5280 §5). */
  readonly revoked?: string | undefined;
}

/** Wide enough for every clock: what ends a certificate is another cluster key. */
const validity = {
  notBefore: new Date('2000-01-01T00:00:00Z'),
  notAfter: new Date('2999-12-31T23:59:59Z'),
};
const algorithm = { name: 'Ed25519' } as const;
/** PKCS #8 of an Ed25519 key (RFC 8410) up to the 32 bytes of its seed. */
const ed25519Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export async function makeCertificates(
  key: ClusterKey,
  cluster: string,
  node: NodeId,
): Promise<Certificates> {
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  const authorityKeys = await keysOf(derive(key, 'certificate authority', 32));
  const subject = 'CN=Ringlog cluster';
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: subject,
    ...validity,
    signingAlgorithm: algorithm,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const nodeSeed = webcrypto.getRandomValues(Buffer.alloc(32));
  const nodeKeys = await keysOf(nodeSeed);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: createHash('sha256').update(nodeSeed).digest('hex').slice(0, 30).replace(/^./, '1'),
    subject: `CN=${node}`,
    issuer: subject,
    ...validity,
    signingAlgorithm: algorithm,
    publicKey: nodeKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: nodeUri(cluster, node) }]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(nodeKeys.publicKey),
    ],
  });
  return {
    authority: authority.toString('pem'),
    certificate: certificate.toString('pem'),
    key: privateKeyOf(nodeSeed).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function privateKeyOf(seed: Buffer) {
  return createPrivateKey({ key: Buffer.concat([ed25519Prefix, seed]), format: 'der', type: 'pkcs8' });
}

async function keysOf(seed: Buffer): Promise<CryptoKeyPair> {
  const { subtle } = webcrypto;
  const pkcs8 = Buffer.concat([ed25519Prefix, seed]);
  const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  const { x } = privateKeyOf(seed).export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: x! };
  const publicKey = await subtle.importKey('jwk', jwk, algorithm, true, ['verify']);
  return { privateKey, publicKey } as CryptoKeyPair;
}
