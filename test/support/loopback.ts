import type { Host } from '../../scripts/support/hosts.js'

/**
 * Refuses a deployment that is not wholly on this machine.
 *
 * @throws {Error} naming the first host that is elsewhere.
 */
export function assertLoopback(hosts: readonly Host[]): void {
  const remote = hosts.find(host => !host.isLoopback)
  if (remote === undefined) return
  throw new Error(
    `Tests do not run against ${remote.name}, which is not this machine: ` +
      'unset MONGO_URI, or set TEST_ALLOW_REMOTE=1 if that deployment is there for tests',
  )
}
