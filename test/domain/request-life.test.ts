import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { REQUEST_LIFE_MS } from '../../lib/domain/request-life.js'
import { config } from '../../lib/single/function.js'

it('is twice as long as the platform lets any function run', () => {
  const { functions } = JSON.parse(readFileSync(new URL('../../vercel.json', import.meta.url), 'utf8'))
  const limits: { maxDuration: number }[] = [config, ...Object.values<typeof config>(functions)]
  const longestMs = Math.max(...limits.map(({ maxDuration }) => maxDuration)) * 1000

  expect(REQUEST_LIFE_MS).toBeGreaterThanOrEqual(2 * longestMs)
})
