import { beforeEach, describe, expect, it } from 'vitest'
import {
  admitLoginAttempt,
  countAsSuccess,
  forgetFailures,
  type LoginAttempt,
} from '../../../lib/domain/accounts/login-throttle.js'
import { AppError } from '../../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'

const SECOND_MS = 1_000
const HOUR_MS = 3_600 * SECOND_MS

/** Not in the past, where the database would forget at once. */
const start = Date.now()

beforeEach(() => emptyDatabase())

const attempt = (overrides: Partial<LoginAttempt> = {}): LoginAttempt => ({
  email: 'asha@example.com',
  network: '203.0.113.7',
  networkIsKnown: false,
  ...overrides,
})

/** How long a try has to wait, so many milliseconds after the start: 0 where it is admitted. In seconds. */
async function waitOf(tried: LoginAttempt, afterMs = 0): Promise<number> {
  try {
    await admitLoginAttempt(tried, new Date(start + afterMs))
    return 0
  } catch (error) {
    if (error instanceof AppError && error.code === 'rate_limited')
      return error.retryAfterSeconds ?? Number.NaN
    throw error
  }
}

/** Many tries at once, each at a moment of its own as requests are. */
const waitsOf = (attempts: LoginAttempt[], afterMs = 0) =>
  Promise.all(attempts.map((tried, i) => waitOf(tried, afterMs + (i % 7))))

const admittedOf = (waits: number[]) => waits.filter(wait => wait === 0).length

const fromEverywhere = (count: number, overrides: Partial<LoginAttempt> = {}) =>
  Array.from({ length: count }, (_, i) => attempt({ network: `198.51.${i >> 8}.${i & 255}`, ...overrides }))

describe('the tries of one address on one account', () => {
  it('may fail five times for nothing, then wait twice as long each time, up to five minutes', async () => {
    const waits: number[] = []
    let now = 0
    for (let i = 0; i < 16; i++) {
      const wait = await waitOf(attempt(), now)
      waits.push(wait)
      if (wait === 0) continue
      now += wait * SECOND_MS
      expect(await waitOf(attempt(), now)).toBe(0)
    }

    expect(waits).toEqual([0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
  })

  it('are told how long is left, to the second that lets them in', async () => {
    for (let i = 0; i < 7; i++) await waitOf(attempt(), i < 6 ? 0 : 2 * SECOND_MS)

    expect(await waitOf(attempt(), 2.5 * SECOND_MS)).toBe(4)
    expect(await waitOf(attempt(), 5.9 * SECOND_MS)).toBe(1)
    expect(await waitOf(attempt(), 6 * SECOND_MS)).toBe(0)
  })

  it('admit exactly six of 200 at once', async () => {
    expect(admittedOf(await waitsOf(Array.from({ length: 200 }, () => attempt())))).toBe(6)
  })

  it('are forgiven by a success', async () => {
    for (let i = 0; i < 6; i++) await waitOf(attempt())
    expect(await waitOf(attempt())).toBe(2)

    await forgetFailures('asha@example.com', '203.0.113.7')

    for (let i = 0; i < 5; i++) expect(await waitOf(attempt())).toBe(0)
  })

  it('are forgotten an hour after the first', async () => {
    for (let i = 0; i < 6; i++) await waitOf(attempt(), i * 600 * SECOND_MS)
    expect(await waitOf(attempt(), 3_001 * SECOND_MS)).toBe(1)

    for (let i = 0; i < 5; i++) expect(await waitOf(attempt(), HOUR_MS + i)).toBe(0)
  })

  it('keep nobody else waiting: neither elsewhere on that account, nor there on another', async () => {
    for (let i = 0; i < 6; i++) await waitOf(attempt())

    expect(await waitOf(attempt())).toBe(2)
    expect(await waitOf(attempt({ network: '203.0.113.8' }))).toBe(0)
    expect(await waitOf(attempt({ email: 'ravi@example.com' }))).toBe(0)
  })

  it('wait also where the network is known: its owner’s neighbours are no owners', async () => {
    for (let i = 0; i < 6; i++) await waitOf(attempt({ networkIsKnown: true }))

    expect(await waitOf(attempt({ networkIsKnown: true }))).toBe(2)
  })
})

describe('tries that come at once', () => {
  it('are not refused for a clock that is a little behind', async () => {
    for (let i = 5; i > 0; i--) expect(await waitOf(attempt(), i * 100)).toBe(0)
  })

  it('are not refused for being many, each from an address of its own', async () => {
    expect(admittedOf(await waitsOf(fromEverywhere(64)))).toBe(64)
  })
})

describe('the tries of many addresses on one account', () => {
  it('have a hundred for nothing, then strangers wait five minutes, and known networks do not', async () => {
    expect(admittedOf(await waitsOf(fromEverywhere(200)))).toBe(101)

    const stranger = attempt({ network: '203.0.113.200' })
    const owner = attempt({ network: '203.0.113.201', networkIsKnown: true })
    expect(await waitOf(stranger, SECOND_MS)).toBeGreaterThan(290)
    expect(await waitOf(owner, SECOND_MS)).toBe(0)
    expect(await waitOf({ ...stranger, email: 'ravi@example.com' }, SECOND_MS)).toBe(0)
    // One stranger every five minutes gets to try.
    const after = await waitsOf(
      fromEverywhere(20, { email: 'asha@example.com' }).slice(0, 20),
      301 * SECOND_MS,
    )
    expect(admittedOf(after)).toBe(1)
  })

  it('have another hundred an hour after the first, however many come at once then', async () => {
    expect(admittedOf(await waitsOf(fromEverywhere(60)))).toBe(60)
    expect(admittedOf(await waitsOf(fromEverywhere(60), HOUR_MS / 2))).toBe(41)

    expect(admittedOf(await waitsOf(fromEverywhere(200), HOUR_MS + 10))).toBe(101)
  })

  it('are not counted where they succeed, so that an owner who never fails never waits', async () => {
    expect(admittedOf(await waitsOf(fromEverywhere(60)))).toBe(60)
    for (let i = 0; i < 60; i++) {
      const login = attempt({ network: `203.0.113.${i}` })
      expect(await waitOf(login)).toBe(0)
      await countAsSuccess(login)
    }

    expect(admittedOf(await waitsOf(fromEverywhere(60)))).toBe(41)
  })

  it('do not become fewer for a success from a network that is known', async () => {
    expect(admittedOf(await waitsOf(fromEverywhere(200)))).toBe(101)
    const owner = attempt({ network: '203.0.113.201', networkIsKnown: true })
    expect(await waitOf(owner)).toBe(0)

    await countAsSuccess(owner)

    expect(await waitOf(attempt({ network: '203.0.113.200' }))).toBeGreaterThan(290)
  })

  it('are not counted where the network is known', async () => {
    await waitsOf(fromEverywhere(120, { networkIsKnown: true }))

    expect(await waitOf(attempt())).toBe(0)
  })
})

it('stores neither addresses nor e-mails, and ends by itself', async () => {
  await waitOf(attempt())

  const stored = await testDatabase().db.collection('loginfailures').find().toArray()
  expect(stored).toHaveLength(2)
  for (const document of stored)
    expect(document).toEqual({
      _id: expect.stringMatching(/^[\w-]{43}$/),
      failures: 1,
      nextTryAt: expect.any(Date),
      expiresAt: new Date(start + HOUR_MS),
    })
})
