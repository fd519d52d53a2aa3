import { compareWithDriver } from '../beside-driver.js'
import type { Bench, Scenario } from '../harness.js'
import { captureRequest } from '../lead-requests.js'

async function run(bench: Bench): Promise<void> {
  await compareWithDriver(bench, {
    route: 'api/leads/index.ts',
    database: bench.deployment.create('capture'),
    works: [{ title: 'POST /api/leads', template: captureRequest, clients: [1, 16] }],
  })
}

export default {
  summary: 'POST /api/leads: a new lead with its chat, against the same commands by the bare driver',
  run,
} satisfies Scenario
