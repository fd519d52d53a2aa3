import { describe, expect, it } from 'vitest'
import { callsOf } from '../../scripts/seed/calls.js'
import { businesses } from '../../scripts/seed/cast.js'
import { daysUntil, visitsOf } from '../../scripts/seed/visits.js'
import { runScript } from './support/run-script.js'

describe('chance', () => {
  const madeAt = new Date('2026-03-31T18:00:00.000Z')
  const [business] = businesses
  const site = business?.site
  if (!business || !site) throw new Error('the first business has a site')

  it('is the same for the same seed, and another for another', () => {
    const day = new Date('2026-03-30T00:00:00.000Z')

    expect(visitsOf(site, 1, day, madeAt)).toEqual(visitsOf(site, 1, day, madeAt))
    expect(visitsOf(site, 1, day, madeAt)).not.toEqual(visitsOf(site, 2, day, madeAt))
    expect(callsOf(business, 1, madeAt)).toEqual(callsOf(business, 1, madeAt))
  })

  it.each(['2026-03-31T18:00:00.000Z', '2026-03-01T00:00:07.000Z', '2024-02-29T23:59:59.000Z'])(
    'makes nothing that is still to come, at %s',
    moment => {
      const now = new Date(moment)
      const month = moment.slice(0, 7)
      const calls = callsOf(business, 3, now)

      expect(calls.flatMap(({ posts }) => posts.filter(({ at }) => at > now))).toEqual([])
      expect(calls.filter(({ posts }) => posts[0]?.at.toISOString().startsWith(month))).toHaveLength(
        business.calls.now,
      )
      const [today] = daysUntil(now, 1)
      if (!today) throw new Error('there is always a day')
      expect(visitsOf(site, 3, today, now).filter(({ at }) => at > now)).toEqual([])
    },
  )
})

it('is never made elsewhere than on this machine', { timeout: 120_000 }, async () => {
  const { code, told } = await runScript('seed', ['--apply'], {
    env: { MONGO_URI: 'mongodb://operator:hidden@cluster.example.invalid/prod' },
  })

  expect(code).toBe(2)
  expect(told).toContain('is not on this machine: a demonstration is for local databases')
  expect(told).not.toMatch(/hidden|cannot be reached|Writing/)
})
