import type { Bench, Scenario } from '../harness.js'
import type { RequestTemplate } from '../request-template.js'
import { MICROSITE, sampleConversation, sampleMetadata } from '../sample-lead.js'

const ROUTE = 'api/leads/index.ts'
const AIM = 1.25

/** A lead as the widget submits it, from a visitor whom nobody has seen before. */
const template: RequestTemplate = {
  method: 'POST',
  path: '/api/leads',
  headers: {
    origin: 'https://nivasa-enchante.example',
    'content-type': 'application/json',
    'user-agent': sampleMetadata.visitor.userAgent,
    // The platform sets it: every visitor has one, and counts against a rate limit of their own.
    'x-real-ip': '{{address}}',
  },
  body: JSON.stringify({
    phone: '{{phone}}',
    bhkType: '1 Bhk',
    microsite: MICROSITE,
    metadata: sampleMetadata,
    conversation: sampleConversation(() => '{{uuid}}'),
  }),
  expects: 201,
}

async function run(bench: Bench): Promise<void> {
  const database = bench.deployment.create('capture')
  const recorded = await bench.record(ROUTE, database, template)
  bench.say(`a capture: ${recorded.description}`)

  const handler = await bench.startHandler(ROUTE, database)
  const driver = await bench.startDriver(database, [recorded])
  for (const clients of [1, 16]) {
    await bench.compare({
      title: `POST /api/leads, ${clients === 1 ? 'one client' : `${clients} clients`}`,
      clients,
      variants: [
        { name: 'driver', server: driver, template },
        { name: 'handler', server: handler, template },
      ],
      ratios: [{ label: 'handler / driver', of: 'handler', to: 'driver', aim: AIM }],
    })
  }
  await Promise.all([handler.stop(), driver.stop()])
  await bench.deployment.drop(database)
}

export default {
  summary: 'POST /api/leads: a new lead with its chat, against the same commands by the bare driver',
  run,
} satisfies Scenario
