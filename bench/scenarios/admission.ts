import { numberAt } from '../account-numbers.js'
import { compareWithDriver } from '../beside-driver.js'
import { storeCallees, UNLIMITED } from '../callees.js'
import type { Bench, Scenario } from '../harness.js'
import type { RequestTemplate } from '../request-template.js'

/** A call that nobody has asked for before, as the telephony asks. */
function admissionTo(to: string, apiKey: string): RequestTemplate {
  return {
    method: 'POST',
    path: '/api/calls/admit',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ to, from: '+919876501234', sessionId: '{{session}}' }),
    expects: 200,
  }
}

async function run(bench: Bench): Promise<void> {
  const database = bench.deployment.create('admission')
  const { apiKey } = await storeCallees(database)
  await compareWithDriver(bench, {
    route: 'api/calls/admit.ts',
    database,
    works: [
      {
        title: 'POST /api/calls/admit: calls of many accounts',
        template: admissionTo('{{number}}', apiKey),
        clients: [1, 16],
      },
      {
        title: 'POST /api/calls/admit: calls of one account without limits',
        template: admissionTo(numberAt(UNLIMITED), apiKey),
        clients: [16],
      },
    ],
  })
}

export default {
  summary: 'POST /api/calls/admit: calls of many accounts and of one, against the bare driver',
  run,
} satisfies Scenario
