import { BASELINE, ROUTE, requestsOfBoth } from '../beside-baseline.js'
import type { Bench, Scenario } from '../harness.js'

const CLIENTS = [1, 16]
const THROUGHPUT_AIM = 2

async function run(bench: Bench): Promise<void> {
  for (const { title, template, database } of await requestsOfBoth(bench)) {
    const product = await bench.startHandler(ROUTE, database)
    const baseline = await bench.startHandler(BASELINE, database)
    for (const clients of CLIENTS) {
      await bench.compare({
        title: `${title}, ${clients === 1 ? 'one client' : `${clients} clients`}`,
        clients,
        variants: [
          { name: 'product', server: product, template },
          { name: 'baseline', server: baseline, template },
        ],
        ratios: [
          { label: 'product / baseline', of: 'product', to: 'baseline', throughputAim: THROUGHPUT_AIM },
        ],
      })
    }
    await product.stop()
    await baseline.stop()
  }
}

export default {
  summary: 'POST and GET /api/leads, against the same with Express and Mongoose (bench/baseline)',
  run,
} satisfies Scenario
