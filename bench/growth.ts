import type { BenchDatabase } from './database.js'
import { explained } from './explained.js'
import type { Bench } from './harness.js'
import type { RatioOf, Server, Variant } from './pairing.js'
import type { RequestTemplate } from './request-template.js'

const GROWTH_AIM = 1.2

/** A read that is measured over each number of rows. */
export interface Read {
  title: string
  /** The path of its request, which may depend on what is stored. */
  pathOf(size: number, server: Server): string | Promise<string>
  /** The largest time that we want to see, in times of the bare driver's. */
  overheadAim?: number
}

/**
 * Measures reads of one route over each number of rows: what each costs over the fewest rows beside the bare driver,
 * and how much more it costs over more rows.
 */
export async function compareGrowth(
  bench: Bench,
  {
    route,
    rows,
    authorization = bench.authorization,
    databaseOf,
    reads,
  }: {
    route: string
    rows: string
    /** Whose requests they are; without it an operator's. */
    authorization?: string
    databaseOf(size: number): Promise<BenchDatabase>
    reads: readonly Read[]
  },
): Promise<void> {
  const asked = reads.filter(({ title }) => bench.reads?.some(part => title.includes(part)) ?? true)
  if (asked.length === 0) return
  const [smallest = 0, ...larger] = bench.sizes
  for (const size of bench.sizes) await databaseOf(size)
  const handlers = new Map<number, Server>()
  for (const size of bench.sizes) handlers.set(size, await bench.startHandler(route, await databaseOf(size)))

  for (const { title, pathOf, overheadAim } of asked) {
    const nameOf = (size: number) => `handler, ${size.toLocaleString('en')} ${rows}`
    const variants: Variant[] = []
    for (const [size, server] of handlers) {
      const template = templateOf(authorization, await pathOf(size, server))
      variants.push({ name: nameOf(size), server, template })
    }
    const [first] = variants
    if (first === undefined) return
    const recorded = await bench.record(route, await databaseOf(smallest), first.template)
    bench.say(`${title}: ${recorded.description}`)
    for (const [place, { name, template }] of variants.entries()) {
      const database = await databaseOf(bench.sizes[place] ?? smallest)
      const recordedHere = place === 0 ? recorded : await bench.record(route, database, template)
      const read = await explained(database, recordedHere)
      if (read === undefined) break
      bench.say(`${name}: ${read}`)
    }
    const driver = await bench.startDriver(await databaseOf(smallest), [recorded])
    const bare = { name: first.name.replace('handler', 'driver'), server: driver, template: first.template }

    const overhead: RatioOf = { label: 'handler / driver', of: first.name, to: bare.name }
    await bench.compare({
      title,
      clients: 1,
      variants: [bare, ...variants],
      ratios: [
        { ...overhead, ...(overheadAim !== undefined && { aim: overheadAim }) },
        ...larger.map(size => ({
          label: `${size.toLocaleString('en')} / ${smallest.toLocaleString('en')} ${rows}`,
          of: nameOf(size),
          to: first.name,
          aim: GROWTH_AIM,
        })),
      ],
    })
    await driver.stop()
  }
  for (const handler of handlers.values()) await handler.stop()
}

function templateOf(authorization: string, path: string): RequestTemplate {
  return { method: 'GET', path, headers: { authorization }, expects: 200 }
}
