import type { BothAnswer } from '../beside-baseline.js'
import { BASELINE, ROUTE, requestsOfBoth } from '../beside-baseline.js'
import type { Figures } from '../figures.js'
import type { Bench, Scenario } from '../harness.js'

const REQUESTS = 1_000
/** For the compiler, and for what a process makes once. */
const WARM_UP_REQUESTS = 100

/** The product has only as much patience as a visitor; the baseline has all the time that there is. */
const SERVERS = [
  { name: 'product', file: ROUTE, options: { patient: true } },
  { name: 'baseline', file: BASELINE, options: {} },
]

async function measure(
  bench: Bench,
  { file, options }: (typeof SERVERS)[number],
  { template, database }: BothAnswer,
): Promise<Figures> {
  const server = await bench.startHandler(file, database, options)
  try {
    await bench.burst(server, { template, requests: WARM_UP_REQUESTS })
    const before = await server.settle()
    await server.holdUntil(REQUESTS)
    await bench.burst(server, { template, requests: REQUESTS })
    const after = await server.settle()
    return {
      'RSS before MB': megabytes(before.rss),
      'RSS peak MB': megabytes(after.peakRss),
      'RSS after MB': megabytes(after.rss),
      'heap before MB': megabytes(before.heap),
      'heap peak MB': megabytes(after.peakHeap),
      'heap after MB': megabytes(after.heap),
    }
  } finally {
    await server.stop()
  }
}

function megabytes(bytes: number): number {
  return bytes / 1e6
}

async function run(bench: Bench): Promise<void> {
  for (const request of await requestsOfBoth(bench)) {
    await bench.compareFigures({
      title: `memory of ${REQUESTS.toLocaleString('en')} requests in flight: ${request.title}`,
      variants: SERVERS.map(server => ({
        name: server.name,
        measure: () => measure(bench, server, request),
      })),
      ratio: { label: 'product / baseline', of: 'product', to: 'baseline' },
    })
  }
}

export default {
  summary: "a server's memory before, under and after 1,000 requests in flight, against the baseline",
  run,
} satisfies Scenario
