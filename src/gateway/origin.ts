/** Which web pages may talk to this node. A browser says where a page comes from; anything else sends no Origin and is
 *  not concerned. Cookies never authenticate here, so this guards what anonymous clients may do. */

export interface OriginRules {
  /** Exact origins, such as `https://app.example.com`; `*` for any. */
  readonly allowed: readonly string[];
  /** The node listens on a loopback address only. */
  readonly loopback: boolean;
}

export interface RequestOrigin {
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

/** `undefined` when allowed, else what to do about it. */
export function originRefusal(rules: OriginRules, request: RequestOrigin): string | undefined {
  if (rules.allowed.includes('*')) return undefined;
  if (request.origin !== undefined) {
    if (rules.allowed.includes(request.origin)) return undefined;
    if (!isSameHost(request.origin, request.host)) {
      return 'Pages of this origin may not use this node. Add it to http.origins if they should.';
    }
  }
  if (rules.loopback && !isLocalHost(request.host, rules.allowed)) {
    // A page may have its own name resolve to 127.0.0.1 and then counts as the same host (DNS rebinding).
    return 'This node listens on this machine only and was asked for by another name. Use localhost, or add the origin to http.origins.';
  }
  return undefined;
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const url = parseUrl(origin);
  // Browsers leave the scheme's own port out of both, so equal text is an equal host and port.
  return url !== undefined && host !== undefined && url.host === host.toLowerCase();
}

function isLocalHost(host: string | undefined, allowed: readonly string[]): boolean {
  // HTTP/1.0 has no Host; no browser speaks it.
  if (host === undefined) return true;
  if (allowed.some((origin) => parseUrl(origin)?.host === host.toLowerCase())) return true;
  const name = parseUrl(`http://${host}`)?.hostname;
  if (name === undefined) return false;
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.startsWith('[');
  return isAddress || name === 'localhost' || name.endsWith('.localhost');
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
