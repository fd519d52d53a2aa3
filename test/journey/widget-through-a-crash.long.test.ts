import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, it, onTestFinished } from 'vitest'
import type { PublicEvent } from '../../lib/domain/events/events.js'
import type { LeadPage } from '../../lib/domain/leads/lead-list.js'
import type { PublicLead } from '../../lib/domain/leads/leads.js'
import { type DevProcess, startDev } from '../scripts/support/dev-process.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'

const ROOT = join(import.meta.dirname, '..', '..')
const ORIGIN = 'https://nivasa-enchante.example'
const ADMIN_TOKEN = 'journey-admin-token-'.padEnd(64, '0')

/** On a noisy machine a server may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

/** Starts what `npm run dev` starts, over a data directory that the test removes. */
function developmentServers() {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-journey-'))
  let running: DevProcess | undefined
  onTestFinished(async () => {
    await running?.end('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const uriFile = join(directory, 'db.uri')

  async function start(): Promise<DevProcess> {
    // Set and empty, so that a developer's `.env` names no database; `file` refuses one that is named nevertheless.
    const database = { MONGO_URI: '', MONGODB_URI: '', DATA_STORE: 'file', DATA_DIRECTORY: directory }
    running = await startDev(ROOT, { ...database, ADMIN_TOKEN, RATE_LIMIT_SCALE: '', LOG_LEVEL: 'error' })
    return running
  }
  return { start, uriFile }
}

async function send<T>(
  { url }: DevProcess,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${url}${path}`, {
    headers: { origin: ORIGIN, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  })
  expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  return { status: response.status, body: (await response.json()) as T }
}

async function listLeads({ url }: DevProcess, token = ADMIN_TOKEN) {
  const response = await fetch(`${url}/api/leads`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, body: (await response.json()) as Wire<LeadPage> }
}

/** Reads the database beside the server, as a script would. */
async function readBeside<T>(uriFile: string, read: (db: ReturnType<MongoClient['db']>) => Promise<T>) {
  const client = new MongoClient(readFileSync(uriFile, 'utf8'))
  try {
    return await read(client.db('leadline'))
  } finally {
    await client.close()
  }
}

type LeadAnswer = { lead: Wire<PublicLead> }
type EventAnswer = { event: Wire<PublicEvent> }

it('keeps everything that was acknowledged when the server is killed', PATIENCE, async () => {
  const { start, uriFile } = developmentServers()
  const project = { projectId: 'nivasa-enchante', microsite: 'nivasa-enchante' }
  const types = ['chat_shown', 'chat_started', 'lead_submitted']
  const submission = leadSubmission()

  const before = await start()
  const config = await send<{ projectId: string }>(before, '/api/widget-config/nivasa-enchante?t=1')
  expect(config).toMatchObject({ status: 200, body: { projectId: 'nivasa-enchante' } })
  const recorded: string[] = []
  for (const type of types) {
    const { status, body } = await send<EventAnswer>(before, '/api/events', { type, id: type, ...project })
    expect(status).toBe(201)
    recorded.push(body.event.id)
  }
  const captured = await send<LeadAnswer>(before, '/api/leads', submission)
  expect(captured.status).toBe(201)
  await before.end('SIGKILL')

  const after = await start()
  const { status, body } = await listLeads(after)
  expect(status).toBe(200)
  expect(body).toMatchObject({ total: 1, nextCursor: null })
  // The link to the phone's other submissions is made after the answer: it may be there by now or not yet.
  expect(body.items).toMatchObject([captured.body.lead])
  expect((await listLeads(after, 'x'.repeat(64))).status).toBe(401)

  const [sessions, events] = await readBeside(uriFile, db =>
    Promise.all([db.collection('chatsessions').find().toArray(), db.collection('events').find().toArray()]),
  )
  expect(sessions).toMatchObject([{ conversation: submission.conversation }])
  expect(String(sessions[0]?.leadId)).toBe(captured.body.lead.id)
  expect(events.map(({ _id }) => String(_id)).sort()).toEqual(recorded.sort())

  const again = await send<LeadAnswer>(after, '/api/leads', submission)
  expect(again).toMatchObject(captured)
  expect((await listLeads(after)).body.total).toBe(1)
})

it('finishes what goes on after an answer when the server is asked to stop', PATIENCE, async () => {
  const { start, uriFile } = developmentServers()
  const first = await start()
  await Promise.all(Array.from({ length: 8 }, () => send(first, '/api/leads', leadSubmission())))
  expect(await first.end('SIGTERM')).toEqual({ code: 0, signal: null })

  await start()
  const counts = await readBeside(uriFile, db => db.collection('eventcounts').find().toArray())
  expect(counts).toMatchObject([{ _id: { microsite: 'nivasa-enchante', type: 'leadsCaptured' }, count: 8 }])
})
