import { beforeEach, describe, expect, it } from 'vitest'
import plansRoute from '../../../api/plans.js'
import historyRoute from '../../../api/user/usage/history.js'
import usageRoute from '../../../api/user/usage/index.js'
import { meterCall } from '../../../lib/domain/usage/usage-metering.js'
import { emptyDatabase } from '../../support/database.js'
import { call } from '../../support/request.js'
import { createTestUser } from '../../support/users.js'

beforeEach(() => emptyDatabase())

const now = new Date()
const metered = (sessionId: string) => ({
  sessionId,
  startedAt: now,
  seconds: 90,
  status: 'completed' as const,
})

describe('the usage of the signed-in user', () => {
  it('is its own', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    await meterCall({ ...metered('a'), userId: asha.user._id }, now)
    const calls = { used: 1, limit: 10, remaining: 9 }
    const minutes = { used: 1.5, limit: 30, remaining: 28.5 }

    const usage = await call(usageRoute, 'GET', '/api/user/usage', { token: asha.token })
    const history = await call(historyRoute, 'GET', '/api/user/usage/history', { token: asha.token })

    expect(usage).toMatchObject({
      status: 200,
      body: { success: true, data: { allowed: true, calls, minutes } },
    })
    expect(history).toMatchObject({
      status: 200,
      body: { data: { items: [{ plan: 'free', calls, minutes }], nextCursor: null } },
    })
    const others = await call(usageRoute, 'GET', '/api/user/usage', { token: ravi.token })
    expect(others).toMatchObject({ body: { data: { calls: { used: 0 } } } })
    const none = await call(historyRoute, 'GET', '/api/user/usage/history', { token: ravi.token })
    expect(none).toMatchObject({ body: { data: { items: [] } } })
  })

  it('needs a user, and a cursor that is one', async () => {
    const { token } = await createTestUser()
    const get = (path: string, as: string) => call(historyRoute, 'GET', path, { token: as })

    expect((await call(usageRoute, 'GET', '/api/user/usage')).status).toBe(401)
    expect((await get('/api/user/usage/history', 'none')).status).toBe(401)
    for (const query of ['cursor=x', 'limit=0', 'limit=101'])
      expect((await get(`/api/user/usage/history?${query}`, token)).status).toBe(400)
  })
})

it('the plans are public, and shared caches may keep them', async () => {
  const { status, headers, body } = await call(plansRoute, 'GET', '/api/plans', {
    origin: 'https://site.example',
  })

  expect(status).toBe(200)
  expect(headers.get('cache-control')).toContain('public')
  expect(headers.get('etag')).toBeTruthy()
  expect(body).toEqual({
    success: true,
    data: [
      { plan: 'free', calls: 10, minutes: 30 },
      { plan: 'basic', calls: 100, minutes: 300 },
      { plan: 'premium', calls: 1000, minutes: 3000 },
      { plan: 'enterprise', calls: null, minutes: null },
    ],
  })
})
