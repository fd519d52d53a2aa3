import { isDeepStrictEqual } from 'node:util'
import { BSON } from 'mongodb'
import { database } from '../../lib/db/client.js'
import { describePlan, planOf, replay } from '../replay/plan.js'
import { type Recording, recorder, valuesOf } from '../replay/recording.js'
import { type FilledRequest, type RequestTemplate, requestsOf } from '../request-template.js'
import { answerParent } from '../worker.js'
import { loadRoute } from './route.js'

/** Requests before the first that is recorded: they build indexes and open connections. */
const UNRECORDED = 3
const RECORDED = 6
const MINUTE_MS = 60_000

/** A request that a route was recorded for, and what a server needs to do the same without the route. */
export interface Recorded {
  template: RequestTemplate
  /** The recordings in extended JSON. */
  recordings: string
  /** The options of the product's own client that decide how many commands are under way. */
  client: { maxPoolSize: number; maxIdleTimeMS: number }
  /** The commands for people to read, and how many bytes of BSON they are. */
  description: string
}

/**
 * Records what a route sends for requests of one kind, by the driver's command monitoring, and makes sure that
 * a replay sends the same. `MONGO_URI` of this process must ask for `monitorCommands`.
 *
 * @throws {Error} where a request is refused, or its commands cannot be replayed.
 */
async function record({ file, template }: { file: string; template: RequestTemplate }): Promise<Recorded> {
  const route = await loadRoute(file)
  const next = requestsOf(template)
  const send = async ({ path, method, headers, body, expects }: FilledRequest) => {
    const response = await route.fetch(
      new Request(`http://127.0.0.1${path}`, { method, headers, ...(body && { body }) }),
    )
    if (response.status !== expects)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  }
  const db = await database()
  const recordOne = recorder(db.client)
  /** The request itself, when those that it goes after were answered. */
  const nextRecorded = async () => {
    const [recorded, ...before] = next().reverse()
    if (recorded === undefined) throw new Error('a template is one request at least')
    for (const request of before.reverse()) await send(request)
    return recorded
  }
  for (let i = 0; i < UNRECORDED; i += 1) await send(await nextRecorded())

  let recordings: Recording[]
  let minute: number
  // Rate limits count by the minute: a counter that moved on in between would look like one of each request.
  do {
    minute = Math.floor(Date.now() / MINUTE_MS)
    recordings = []
    for (let i = 0; i < RECORDED; i += 1) {
      const request = await nextRecorded()
      recordings.push(await recordOne(() => send(request), request))
    }
  } while (Math.floor(Date.now() / MINUTE_MS) !== minute)

  const plan = planOf(recordings)
  const request = await nextRecorded()
  const replayed = await recordOne(async () => {
    await replay(plan, db, valuesOf(request))
  }, request)
  const bytes = expectSameWork(recordings[0], replayed)

  const { maxPoolSize, maxIdleTimeMS } = db.client.options
  return {
    template,
    recordings: BSON.EJSON.stringify(recordings, { relaxed: false }),
    client: { maxPoolSize, maxIdleTimeMS },
    description: `${describePlan(plan)}; ${bytes.toLocaleString('en')} bytes`,
  }
}

/**
 * Compares commands by their fields, the types in them, their size, which it returns in bytes, and how many documents
 * each found or wrote.
 */
function expectSameWork(recorded: Recording | undefined, replayed: Recording): number {
  const expected = workOf(recorded)
  const actual = workOf(replayed)
  if (!isDeepStrictEqual(actual, expected))
    throw new Error(
      `the replay does other work: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`,
    )
  return expected.reduce((sum, { bytes }) => sum + bytes, 0)
}

function workOf(recording: Recording | undefined): { shape: string; bytes: number; found: number }[] {
  const works = (recording?.commands ?? []).map(({ command, result }) => ({
    shape: JSON.stringify(shapeOf(command)),
    bytes: BSON.calculateObjectSize(command),
    found: Array.isArray(result)
      ? result.length
      : typeof result === 'number'
        ? result
        : Number(result !== null),
  }))
  return works.sort((a, b) => (a.shape < b.shape ? -1 : 1))
}

/** The key of a call's entry, as a step of a path: every call has its own. */
const ENTRY_KEY = /\.[\w-]{22}(?=\.|$)/

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  const isDocument = value instanceof Map || Object.getPrototypeOf(value) === Object.prototype
  return isDocument
    ? entries.map(([name, item]) => [String(name).replace(ENTRY_KEY, '.*'), shapeOf(item)])
    : value.constructor.name
}

const methods = { record }
export type RecorderMethods = typeof methods
answerParent(methods)
