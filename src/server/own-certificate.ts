/** A certificate that a node makes and signs itself (`tls: auto`), for clients that are told to trust it. X.509 as in RFC
 *  5280; ECDSA on P-256, which every browser takes. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { TlsMaterial } from '../gateway/context.js';

/** The longest that all browsers accept of a server. */
const validDays = 825;
const dayMs = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** `names`: host names and addresses that clients may use; the first is its subject. */
export async function makeOwnCertificate(names: readonly string[], nowMs: number): Promise<TlsMaterial> {
  const crypto = webcrypto as unknown as Crypto;
  x509.cryptoProvider.set(crypto);
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(crypto),
    name: [{ CN: ['Ringlog node'] }],
    // A client whose clock is behind takes it too.
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + (validDays - 1) * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { cert: `${certificate.toString('pem')}\n`, key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

/** Positive, and without leading zeros. */
function serialNumber(crypto: Crypto): string {
  const hex = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex');
  return `1${hex.slice(1)}`;
}
