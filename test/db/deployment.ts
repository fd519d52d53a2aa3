import { MongoClient } from 'mongodb'
import { vi } from 'vitest'
import type { ServedRoute } from '../../lib/http/serve.js'

/** A function instance that has just been started: nothing is connected, read or remembered yet. */
export interface Deployment {
  leads: ServedRoute
  events: ServedRoute
  widgetConfig: ServedRoute
  health: ServedRoute
  database: typeof import('../../lib/db/client.js').database
  enforceLimit: typeof import('../../lib/rate-limit/enforce.js').enforceLimit
  widgetConfigs: typeof import('../../lib/domain/widgets/widget-configs.js').widgetConfigs
  /** Closes its database client. */
  stop(): Promise<void>
}

/** Starts an instance in this process, with these variables in its environment. One at a time: stop it first. */
export async function deploy(environment: Record<string, string>): Promise<Deployment> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  vi.resetModules()
  const [leads, events, widgetConfig, health, client, limits, configs] = await Promise.all([
    import('../../api/leads/index.js'),
    import('../../api/events/index.js'),
    import('../../api/widget-config/[projectId].js'),
    import('../../api/health.js'),
    import('../../lib/db/client.js'),
    import('../../lib/rate-limit/enforce.js'),
    import('../../lib/domain/widgets/widget-configs.js'),
  ])
  return {
    leads: leads.default,
    events: events.default,
    widgetConfig: widgetConfig.default,
    health: health.default,
    database: client.database,
    enforceLimit: limits.enforceLimit,
    widgetConfigs: configs.widgetConfigs,
    stop: client.closeDatabase,
  }
}

/** What the product's own clients did, told apart from the tests' by their name. */
export interface Observed {
  clients: MongoClient[]
  /** Every command that was sent: its name and its collection (`createIndexes leads`). */
  commands: string[]
}

/** Watches the clients that the product opens from now on, until the end of the test. */
export function observeClients(): Observed {
  const observed: Observed = { clients: [], commands: [] }
  const connect = MongoClient.prototype.connect
  vi.spyOn(MongoClient.prototype, 'connect').mockImplementation(function (this: MongoClient) {
    if (this.options.appName === 'leadline' && !observed.clients.includes(this)) {
      observed.clients.push(this)
      this.options.monitorCommands = true
      this.on('commandStarted', ({ commandName, command }) => {
        observed.commands.push(`${commandName} ${String(command[commandName])}`)
      })
    }
    return connect.call(this)
  })
  return observed
}
