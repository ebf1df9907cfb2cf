/** What counts as one sender of connections: an IPv4 address, or the /64 network of an IPv6 one, as whoever has an address there
 *  has all of them. */
export function sourceOf(address: string): string {
  const bare = address.replace(/^::ffff:(?=[\d.]+$)/i, '');
  return bare.includes(':') && !bare.includes('.') ? networkOf(bare) : bare;
}

/** The first 64 bits of an IPv6 address, as far as they are written out. */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length + after < 8) groups.push('0');
  }
  return groups.slice(0, 4).join(':');
}
