import type { BenchDatabase } from './database.js'
import type { Bench } from './harness.js'
import type { Server } from './pairing.js'
import type { RequestTemplate } from './request-template.js'

const AIM = 1.25

/** Requests to measure beside the bare driver, which sends what the route sends for each of them. */
export interface Work {
  title: string
  template: RequestTemplate
  clients: readonly number[]
}

/**
 * Measures requests of one route beside the bare driver.
 *
 * @param prepare is called once the route is served, before anything is recorded.
 */
export async function compareWithDriver(
  bench: Bench,
  {
    route,
    database,
    works,
    prepare,
  }: {
    route: string
    database: BenchDatabase
    works: readonly Work[]
    prepare?: (handler: Server) => Promise<void>
  },
): Promise<void> {
  const handler = await bench.startHandler(route, database)
  await prepare?.(handler)
  for (const { title, template, clients } of works) {
    const recorded = []
    for (let each: RequestTemplate | undefined = template; each; each = each.goesAfter) {
      const one = await bench.record(route, database, each)
      bench.say(`${title}: ${one.description}`)
      recorded.push(one)
    }
    const driver = await bench.startDriver(database, recorded)
    for (const count of clients) {
      await bench.compare({
        title: `${title}, ${count === 1 ? 'one client' : `${count} clients`}`,
        clients: count,
        variants: [
          { name: 'driver', server: driver, template },
          { name: 'handler', server: handler, template },
        ],
        ratios: [{ label: 'handler / driver', of: 'handler', to: 'driver', aim: AIM }],
      })
    }
    await driver.stop()
  }
  await handler.stop()
  await bench.deployment.drop(database)
}
