import type { MongoClient } from 'mongodb'

/**
 * For an answer that came while the process was suspended, as idle function instances and sleeping machines are: when
 * it goes on, timers that are due run before anything is read.
 */
const GRACE_MS = 1_000

/**
 * Calls back when the driver hangs in asking a server whether it is there: such a client never finds the server again.
 *
 * The driver (7.9.0) waits for ever where it writes to a socket that is destroyed and not yet reported as closed, as
 * happens when a server ends all connections at once. Its monitor recovers by itself only from servers that report a
 * `topologyVersion`, which MongoDB does since 4.4 and what else speaks its protocol need not.
 */
export function onHeartbeatHung(client: MongoClient, callback: () => void): void {
  const { connectTimeoutMS, heartbeatFrequencyMS } = client.options
  // The longest that a heartbeat may take: to connect and shake hands, or to wait for news that a server need not have.
  const longestMs = 2 * connectTimeoutMS + heartbeatFrequencyMS
  const timers = new Map<string, NodeJS.Timeout>()

  function ended(address: string): void {
    clearTimeout(timers.get(address))
    timers.delete(address)
  }

  function waitFor(address: string, milliseconds: number, then: () => void): void {
    ended(address)
    timers.set(address, setTimeout(then, milliseconds).unref())
  }

  function hung(): void {
    // Servers that ended their connections together hang together: the next client is not to be given up for them.
    for (const address of timers.keys()) ended(address)
    callback()
  }

  client.on('serverHeartbeatStarted', ({ connectionId: address }) =>
    waitFor(address, longestMs, () => waitFor(address, GRACE_MS, hung)),
  )
  client.on('serverHeartbeatSucceeded', ({ connectionId: address }) => ended(address))
  client.on('serverHeartbeatFailed', ({ connectionId: address }) => ended(address))
  client.on('serverClosed', ({ address }) => ended(address))
}
