import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ObjectId } from 'mongodb'
import mongoose from 'mongoose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import app from '../../bench/baseline/app.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import { adminToken, call, type Fetchable } from '../support/request.js'

let server: Server
const baseline: Fetchable = {
  fetch(request) {
    const { pathname, search } = new URL(request.url)
    const { port } = server.address() as AddressInfo
    return fetch(new Request(`http://127.0.0.1:${port}${pathname}${search}`, request))
  },
}

beforeAll(async () => {
  server = createServer(app).listen(0, '127.0.0.1')
})
afterAll(async () => {
  server.close()
  await mongoose.disconnect()
})
trackBackgroundTasks()
beforeEach(emptyDatabase)

/** What of an answer or a document is the same for whoever made it: not which id and which time, but where. */
function shapeOf(value: unknown): unknown {
  if (value instanceof ObjectId) return 'an id'
  if (value instanceof Date) return 'a time'
  if (typeof value === 'string')
    return value.replace(/[0-9a-f]{24}/, 'an id').replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'a time')
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shapeOf(item)]))
}

async function stored() {
  const names = ['leads', 'chatsessions', 'eventcounts', 'ratelimits', 'widgetconfigs']
  const documents = await Promise.all(
    names.map(name => testDatabase().db.collection(name).find().sort({ createdAt: 1, _id: 1 }).toArray()),
  )
  return Object.fromEntries(names.map((name, i) => [name, shapeOf(documents[i])]))
}

const submissions = {
  'a lead': [leadSubmission()],
  'a second lead of a phone': [leadSubmission(), leadSubmission()],
  'the same lead twice': Array<object>(2).fill(leadSubmission()),
  'a lead that looks like spam': [leadSubmission({ phone: '12', website: 'https://x.example' })],
  'a lead without a chat': [leadSubmission({ conversation: [], bhkType: 'duplex' })],
}

it.each(Object.entries(submissions))('stores and answers for %s what the product does', async (_, bodies) => {
  const capturedBy = async (route: Fetchable) => {
    await emptyDatabase()
    const answers = []
    for (const body of bodies) {
      const { status, body: answer } = await call(route, 'POST', '/api/leads', { body })
      await backgroundTasksDone()
      answers.push({ status, answer: shapeOf(answer) })
    }
    return { answers, stored: await stored() }
  }

  const byProduct = await capturedBy(leadsRoute)
  expect(byProduct.answers[0]?.status).toBe(201)
  expect(await capturedBy(baseline)).toEqual(byProduct)
})

it('lists what the product lists', async () => {
  for (const body of Object.values(submissions).flat()) await call(leadsRoute, 'POST', '/api/leads', { body })
  await backgroundTasksDone()
  const queries = ['', '?limit=2', '?spam=all', '?search=visitor', '?bhkType=Duplex', '?endDate=2020-01-01']
  for (const query of queries) {
    const listBy = async (route: Fetchable) => {
      const { status, body } = await call(route, 'GET', `/api/leads${query}`, { token: adminToken() })
      return { status, body }
    }
    const byProduct = await listBy(leadsRoute)
    expect(byProduct.status).toBe(200)
    expect(await listBy(baseline)).toEqual(byProduct)
  }
})

it('goes on where a page ended, and refuses who is no operator', async () => {
  const list = (query: string, token = adminToken()) =>
    call<{ items: { id: string }[]; nextCursor: string }>(baseline, 'GET', `/api/leads?${query}`, { token })
  for (let i = 0; i < 3; i += 1)
    await call(leadsRoute, 'POST', '/api/leads', { body: leadSubmission({ phone: `+91987650000${i}` }) })

  const { items, nextCursor } = (await list('limit=2')).body
  const rest = (await list(`cursor=${nextCursor}`)).body.items
  expect(new Set([...items, ...rest].map(({ id }) => id)).size).toBe(3)
  expect((await list('', 'somebody')).status).toBe(401)
})
