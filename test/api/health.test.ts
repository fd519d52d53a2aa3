import { beforeEach, describe, expect, it } from 'vitest'
import healthRoute from '../../api/health.js'
import { emptyDatabase } from '../support/database.js'
import { call } from '../support/request.js'

// What it says while the database or an index is missing is in test/db.

beforeEach(() => emptyDatabase())

describe('the health check', () => {
  it('says that the deployment is ready, and what to mend, in names only', async () => {
    const { status, body, text, headers } = await call(healthRoute, 'GET', '/api/health')

    expect(status).toBe(200)
    expect(body).toEqual({
      live: true,
      ready: true,
      database: { state: 'ok', latencyMs: expect.any(Number) },
      indexes: { state: 'ok' },
      warnings: [
        'CRON_SECRET is not set: the maintenance cron is refused.',
        'RATE_LIMIT_SCALE is set: rate limits are not the real ones.',
      ],
    })
    expect(text).not.toMatch(/mongodb:|127\.0\.0\.1|test-admin/)
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('says only that it lives where only that is asked', async () => {
    const { status, body } = await call(healthRoute, 'GET', '/api/health?probe=live')

    expect(status).toBe(200)
    expect(body).toEqual({ live: true })
  })

  it('may be asked without a body, by HEAD, and asks nothing else', async () => {
    expect(await call(healthRoute, 'HEAD', '/api/health')).toMatchObject({ status: 200, text: '' })
    expect(await call(healthRoute, 'GET', '/api/health?probe=dead')).toMatchObject({
      status: 400,
      body: { details: [{ path: 'query.probe' }] },
    })
  })
})
