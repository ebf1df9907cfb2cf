/** An authority of an operator's own, and the certificates that it issues, good and bad. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { NodeId } from '../../src/base/ids.js';
import type { Certificates } from '../../src/peer/certificates.js';
import { nodeUri } from '../../src/peer/node-name.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;

export interface Issue {
  readonly cluster?: string;
  readonly usages?: readonly x509.ExtendedKeyUsageType[];
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
  /** Alternative names in place of that of the node. */
  readonly names?: readonly { readonly type: 'dns'; readonly value: string }[];
}

export const clientsOnly = { usages: [clientAuth] } as const;

export class Authority {
  readonly #keys: CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;
  #issued = 1;

  static async make(name: string): Promise<Authority> {
    const crypto = webcrypto as unknown as Crypto;
    x509.cryptoProvider.set(crypto);
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - 1_000 * dayMs),
      notAfter: new Date(Date.now() + 1_000 * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new Authority(keys, certificate);
  }

  private constructor(keys: CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  get pem(): string {
    return this.#certificate.toString('pem');
  }

  async issue(node: NodeId, issue: Issue = {}): Promise<Certificates> {
    const { cluster = 'test', usages = [serverAuth, clientAuth], from = -500, to = 500 } = issue;
    const names = issue.names ?? [{ type: 'url' as const, value: nodeUri(cluster, node) }];
    const crypto = webcrypto as unknown as Crypto;
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (++this.#issued).toString(16).padStart(4, '0'),
      subject: `CN=${node}`,
      issuer: this.#certificate.subject,
      notBefore: new Date(Date.now() + from * dayMs),
      notAfter: new Date(Date.now() + to * dayMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.ExtendedKeyUsageExtension([...usages]),
        new x509.SubjectAlternativeNameExtension([...names]),
      ],
    });
    const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
    return {
      authority: this.pem,
      certificate: certificate.toString('pem'),
      key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
    };
  }

  /** The list of what was taken back. */
  async revoke(...certificates: readonly Certificates[]): Promise<string> {
    const list = await x509.X509CrlGenerator.create({
      issuer: this.#certificate.subject,
      thisUpdate: new Date(Date.now() - dayMs),
      nextUpdate: new Date(Date.now() + dayMs),
      signingAlgorithm: algorithm,
      signingKey: this.#keys.privateKey,
      entries: certificates.map(({ certificate }) => ({
        serialNumber: new x509.X509Certificate(certificate).serialNumber,
        revocationDate: new Date(),
      })),
    });
    return x509.PemConverter.encode(list.rawData, 'X509 CRL');
  }
}
