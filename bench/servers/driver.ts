import { BSON, MongoClient } from 'mongodb'
import { planOf, replay } from '../replay/plan.js'
import { type Recording, valuesOf } from '../replay/recording.js'
import { answerParent } from '../worker.js'
import { answering, listen } from './http.js'
import type { Recorded } from './recorder.js'
import { vitals } from './vitals.js'

/**
 * Answers the recorded requests with the recorded commands, over a client with the options of the product's
 * own. Of the rest of a server it has what cannot be left out: JSON is parsed, and what was found is sent back.
 */
async function start({ uri, recorded }: { uri: string; recorded: readonly Recorded[] }): Promise<number> {
  const client = await new MongoClient(uri, { ...recorded[0]?.client, ignoreUndefined: true }).connect()
  const db = client.db()
  const plans = new Map(
    recorded.map(({ template, recordings }) => [
      `${template.method} ${template.path}`,
      { plan: planOf(parse(recordings)), status: template.expects },
    ]),
  )
  return listen(
    answering(async ({ message, body }) => {
      const { method, url, headers } = message
      const known = plans.get(`${method} ${url}`)
      if (known === undefined) return { status: 404, headers: {}, body: '' }
      const text = body.length === 0 ? undefined : body.toString()
      const { results } = await replay(known.plan, db, valuesOf({ headers, body: text }))
      return {
        status: known.status,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(results),
      }
    }),
  )
}

function parse(recordings: string): Recording[] {
  return BSON.EJSON.parse(recordings, { relaxed: true })
}

const methods = { start, ...vitals }
export type DriverMethods = typeof methods
answerParent(methods)
