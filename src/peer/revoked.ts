/** Which certificates the authorities have taken back (RFC 5280 §5), for connections that stand: new ones are refused by TLS itself. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** Whether a certificate, in its DER form, is among those. */
export type IsRevoked = (certificate: Uint8Array) => boolean;

/** Throws for lists that cannot be read. */
export function revokedBy(lists: string): IsRevoked {
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  const found = lists.match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? [];
  const revoked = new Set<string>();
  for (const text of found) {
    const { issuer, entries } = new x509.X509Crl(text);
    for (const { serialNumber } of entries) revoked.add(nameOf(issuer, serialNumber));
  }
  return (certificate) => {
    const { issuer, serialNumber } = new x509.X509Certificate(Uint8Array.from(certificate));
    return revoked.has(nameOf(issuer, serialNumber));
  };
}

function nameOf(issuer: string, serialNumber: string): string {
  return `${serialNumber.toLowerCase().replace(/^0+/, '')} ${issuer}`;
}
