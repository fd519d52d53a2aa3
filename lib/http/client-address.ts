import { isIPv6 } from 'node:net'

/**
 * The address a request came from, as the platform saw it: Vercel and our dev server both set `x-real-ip`
 * themselves and drop what a client sent under that name.
 */
export function clientAddress(request: Request): string {
  const address = request.headers.get('x-real-ip')?.trim() ?? ''
  return address.replace(/^::ffff:(?=\d+\.)/i, '') || 'unknown'
}

/** What a limit counts as one client: an IPv4 address, or the /64 network that an IPv6 client owns whole. */
export function clientNetwork(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
