import { BlockList, isIPv6 } from 'node:net'
import { MongoClient } from 'mongodb'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** A machine that a connection string leads to. */
export interface Host {
  /** For people to read: a name or address and a port, never credentials. */
  name: string
  isLoopback: boolean
}

/**
 * The hosts of a connection string as the driver itself reads it, so that no spelling means one host here and
 * another when connecting. Nothing is resolved or contacted: an SRV record counts as remote.
 *
 * @throws {Error} without any part of the URI when the driver cannot read it.
 */
export function hostsOf(uri: string): Host[] {
  const { hosts, srvHost, proxyHost } = parse(uri)
  return [
    ...hosts.map(host => ({
      name: host.toString(),
      isLoopback: host.socketPath !== undefined || isLoopbackName(host.host ?? ''),
    })),
    ...(srvHost === undefined ? [] : [{ name: `${srvHost} (SRV)`, isLoopback: false }]),
    ...(proxyHost === undefined
      ? []
      : [{ name: `${proxyHost} (proxy)`, isLoopback: isLoopbackName(proxyHost) }]),
  ]
}

/** The hosts of a replica set's members, in the `host:port` form of a `hello` reply. */
export function memberHosts(members: readonly string[]): Host[] {
  return members.map(name => ({ name, isLoopback: isLoopbackName(name.replace(/:\d+$/, '')) }))
}

function parse(uri: string): MongoClient['options'] {
  try {
    return new MongoClient(uri).options
  } catch {
    // The driver's message may repeat parts of the URI, a password among them.
    throw new Error('MONGO_URI is not a connection string that the driver can read')
  }
}

function isLoopbackName(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || loopback.check(name, isIPv6(name) ? 'ipv6' : 'ipv4')
}
