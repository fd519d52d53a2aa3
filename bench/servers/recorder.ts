import { isDeepStrictEqual } from 'node:util'
import { BSON } from 'mongodb'
import { database } from '../../lib/db/client.js'
import { connect } from '../baseline/database.js'
import { describePlan, operationsOf, type Plan, planOf, replay } from '../replay/plan.js'
import { type Monitored, type Recording, recorder, valuesOf } from '../replay/recording.js'
import { type FilledRequest, type RequestTemplate, requestsOf } from '../request-template.js'
import { answerParent } from '../worker.js'
import { loadListener, loadRoute } from './function.js'
import { listen } from './http.js'

/** Requests before the first that is recorded: they build indexes and open connections. */
const UNRECORDED = 3
const RECORDED = 6
const MINUTE_MS = 60_000

/** What a function sends to the database for a request. */
export interface SentWork {
  /** The commands for people to read, and how many bytes of BSON they are. */
  description: string
  /** The commands by their collections and names, in alphabetical order. */
  operations: readonly string[]
}

/** A request that a route was recorded for, and what a server needs to do the same without the route. */
export interface Recorded extends SentWork {
  template: RequestTemplate
  /** The recordings in extended JSON. */
  recordings: string
  /** The options of the product's own client that decide how many commands are under way. */
  client: { maxPoolSize: number; maxIdleTimeMS: number }
}

/** What was recorded of a function, and a way to record what else is sent for its next request. */
interface Series {
  recordings: Recording[]
  plan: Plan
  recordNext(send: (request: FilledRequest) => Promise<void>): Promise<Recording>
}

/** Whose requests of which kind: a built file by its place in the project. */
interface Subject {
  file: string
  template: RequestTemplate
}

/**
 * Records what a route sends for requests of one kind, by the driver's command monitoring, and makes sure that
 * a replay sends the same. `MONGO_URI` of this process must ask for `monitorCommands`.
 *
 * @throws {Error} where a request is refused, or its commands cannot be replayed.
 */
async function record({ file, template }: Subject): Promise<Recorded> {
  const route = await loadRoute(file)
  const db = await database()
  const series = await recordSeries(template, db.client, (path, init) =>
    route.fetch(new Request(`http://127.0.0.1${path}`, init)),
  )
  const replayed = await series.recordNext(async request => {
    await replay(series.plan, db, valuesOf(request))
  })
  expectSameWork(series.recordings[0], replayed)

  const { maxPoolSize, maxIdleTimeMS } = db.client.options
  return {
    ...describeWork(series),
    template,
    recordings: BSON.EJSON.stringify(series.recordings, { relaxed: false }),
    client: { maxPoolSize, maxIdleTimeMS },
  }
}

/**
 * Records what the baseline sends, which is not replayed.
 *
 * @throws {Error} where a request is refused.
 */
async function recordBaseline({ file, template }: Subject): Promise<SentWork> {
  const port = await listen(await loadListener(file))
  const { connection } = await connect()
  const series = await recordSeries(template, connection.getClient(), (path, init) =>
    fetch(`http://127.0.0.1:${port}${path}`, init),
  )
  return describeWork(series)
}

async function recordSeries(
  template: RequestTemplate,
  client: Monitored,
  request: (path: string, init: RequestInit) => Promise<Response>,
): Promise<Series> {
  const next = requestsOf(template)
  const send = async ({ path, method, headers, body, expects }: FilledRequest) => {
    const response = await request(path, { method, headers, ...(body && { body }) })
    if (response.status !== expects)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  }
  const recordOne = recorder(client)
  /** The request itself, when those that it goes after were answered. */
  const nextRecorded = async () => {
    const [recorded, ...before] = next().reverse()
    if (recorded === undefined) throw new Error('a template is one request at least')
    for (const earlier of before.reverse()) await send(earlier)
    return recorded
  }
  const recordNext: Series['recordNext'] = async sendOne => {
    const recorded = await nextRecorded()
    return recordOne(() => sendOne(recorded), recorded)
  }
  for (let i = 0; i < UNRECORDED; i += 1) await send(await nextRecorded())

  let recordings: Recording[]
  let minute: number
  // Rate limits count by the minute: a counter that moved on in between would look like one of each request.
  do {
    minute = Math.floor(Date.now() / MINUTE_MS)
    recordings = []
    for (let i = 0; i < RECORDED; i += 1) recordings.push(await recordNext(send))
  } while (Math.floor(Date.now() / MINUTE_MS) !== minute)
  return { recordings, plan: planOf(recordings), recordNext }
}

function describeWork({ plan, recordings }: Series): SentWork {
  const bytes = workOf(recordings[0]).reduce((sum, work) => sum + work.bytes, 0)
  return {
    description: `${describePlan(plan)}; ${bytes.toLocaleString('en')} bytes`,
    operations: operationsOf(plan),
  }
}

/** Compares commands by their fields, the types in them, their size, and how many documents each found or wrote. */
function expectSameWork(recorded: Recording | undefined, replayed: Recording): void {
  const expected = workOf(recorded)
  const actual = workOf(replayed)
  if (!isDeepStrictEqual(actual, expected))
    throw new Error(
      `the replay does other work: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`,
    )
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

const methods = { record, recordBaseline }
export type RecorderMethods = typeof methods
answerParent(methods)
