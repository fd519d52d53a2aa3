import { beforeEach, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import { events } from '../../lib/domain/events/events.js'
import { emptyDatabase } from '../support/database.js'
import { trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { call } from '../support/request.js'

// Read once in a process.
process.env.EVENT_RETENTION_DAYS = '30'
const DAY_MS = 24 * 60 * 60 * 1000

trackBackgroundTasks()
beforeEach(emptyDatabase)

it('an event ends with the retention of its deployment, counted from its arrival; it is not told so', async () => {
  const at = new Date(Date.now() - DAY_MS / 2).toISOString()
  const body = { type: 'chat_shown', projectId: 'nivasa', at }
  const answer = await call<{ event: object }>(eventsRoute, 'POST', '/api/events', { body })
  expect(answer.body.event).not.toHaveProperty('expiresAt')
  const [event] = await (await events.open()).find().toArray()
  expect((event?.expiresAt?.getTime() ?? 0) - (event?.receivedAt.getTime() ?? 0)).toBe(30 * DAY_MS)
})
