import { compareWithDriver } from '../beside-driver.js'
import type { Bench, Scenario } from '../harness.js'
import type { RequestTemplate } from '../request-template.js'
import { MICROSITE, sampleConversation, sampleMetadata } from '../sample-lead.js'

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
  await compareWithDriver(bench, {
    route: 'api/leads/index.ts',
    database: bench.deployment.create('capture'),
    works: [{ title: 'POST /api/leads', template, clients: [1, 16] }],
  })
}

export default {
  summary: 'POST /api/leads: a new lead with its chat, against the same commands by the bare driver',
  run,
} satisfies Scenario
