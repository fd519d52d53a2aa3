import { ACCOUNTS, numberAt } from '../account-numbers.js'
import { compareWithDriver } from '../beside-driver.js'
import { storeCallees } from '../callees.js'
import type { Bench, Scenario } from '../harness.js'
import type { Server } from '../pairing.js'
import type { RequestTemplate } from '../request-template.js'

const PATH = '/api/conversations'

interface Post {
  to: string
  sessionId: string
  status: 'processing' | 'completed'
  /** Of the call so far, in seconds. */
  duration?: number
}

function bodyOf(post: Post): string {
  return JSON.stringify({
    phoneNumber: '+919876501234',
    turnId: '{{uuid}}',
    userMessage: 'Do you have a flat by the lake?',
    aiResponse: 'We have two, and one of them is free from March on. Shall I tell you what it costs?',
    metadata: { transcriptionTime: 212, responseTime: 934, ttsTime: 301, totalProcessingTime: 1_447 },
    ...post,
  })
}

/** @param which tells the posts of a call apart for the bare driver; the route does not look at it. */
function postOf(apiKey: string, which: string, post: Post, expects: number): RequestTemplate {
  return {
    method: 'POST',
    path: `${PATH}?post=${which}`,
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: bodyOf(post),
    expects,
  }
}

/** The session of a call that goes on all the time: each account has one. */
const goingOn = (number: string): Post => ({
  to: number,
  sessionId: `goes-on-${number}`,
  status: 'processing',
})

async function startCalls({ port }: Server, apiKey: string): Promise<void> {
  for (let position = 0; position < ACCOUNTS; position += 1) {
    const response = await fetch(`http://127.0.0.1:${port}${PATH}`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
      body: bodyOf(goingOn(numberAt(position))),
    })
    if (response.status !== 201) throw new Error(`no call to go on with: ${response.status}`)
  }
}

async function run(bench: Bench): Promise<void> {
  const database = bench.deployment.create('ingest')
  const { apiKey } = await storeCallees(database)
  const post = { to: '{{number}}', sessionId: '{{session}}', status: 'processing' } as const
  const first = postOf(apiKey, 'first', { ...post, duration: 12 }, 201)
  const turn = { ...postOf(apiKey, 'turn', { ...post, duration: 41 }, 200), goesAfter: first }
  const last = postOf(apiKey, 'last', { ...post, status: 'completed', duration: 74 }, 200)
  await compareWithDriver(bench, {
    route: 'api/conversations/index.ts',
    database,
    prepare: handler => startCalls(handler, apiKey),
    works: [
      { title: `POST ${PATH}: a new call`, template: first, clients: [1, 16] },
      {
        title: `POST ${PATH}: one more turn of a call`,
        template: postOf(apiKey, 'more', goingOn('{{number}}'), 200),
        clients: [1, 16],
      },
      {
        title: `POST ${PATH}: a whole call, in three posts`,
        template: { ...last, goesAfter: turn },
        clients: [1, 16],
      },
    ],
  })
}

export default {
  summary: 'POST /api/conversations: a new call, one more turn, a whole call, against the bare driver',
  run,
} satisfies Scenario
