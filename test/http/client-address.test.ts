import { describe, expect, it } from 'vitest'
import { clientAddress, clientNetwork } from '../../lib/http/client-address.js'

function addressOf(headers: Record<string, string>): string {
  return clientAddress(new Request('https://leadline.example/', { headers }))
}

describe('the address of a client', () => {
  it('is the one that the platform saw', () => {
    expect(addressOf({ 'x-real-ip': '203.0.113.7' })).toBe('203.0.113.7')
    expect(addressOf({ 'x-real-ip': ' 2001:db8::1 ' })).toBe('2001:db8::1')
  })

  it.each([
    'x-forwarded-for',
    'x-vercel-forwarded-for',
    'forwarded',
    'cf-connecting-ip',
    'true-client-ip',
    'x-client-ip',
  ])('is not what a client says in %s', name => {
    expect(addressOf({ [name]: '198.51.100.1', 'x-real-ip': '203.0.113.7' })).toBe('203.0.113.7')
    expect(addressOf({ [name]: '198.51.100.1' })).toBe('unknown')
  })

  it.each(['::ffff:203.0.113.7', '::FFFF:203.0.113.7'])(
    'is IPv4 where it only looks like IPv6: %s',
    address => {
      expect(addressOf({ 'x-real-ip': address })).toBe('203.0.113.7')
    },
  )
})

describe('what a limit counts as one client', () => {
  it('is an IPv4 address', () => {
    expect(clientNetwork('203.0.113.7')).toBe('203.0.113.7')
    expect(clientNetwork('unknown')).toBe('unknown')
  })

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::2:0:0:0:1', '2001:db8:0:2::/64'],
    ['2001::1', '2001:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5::', '2001:db8:1:2::/64'],
    ['1::', '1:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8:1:2::192.0.2.1', '2001:db8:1:2::/64'],
  ])('is the /64 of an IPv6 address: %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network)
  })

  it('is another network for another /64', () => {
    expect(clientNetwork('2001:db8:1:3::1')).not.toBe(clientNetwork('2001:db8:1:2::1'))
  })
})
