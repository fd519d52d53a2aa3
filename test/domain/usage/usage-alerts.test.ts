import type { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { sweepAccountMail } from '../../../lib/domain/accounts/account-mails.js'
import { userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { forgetMails } from '../../../lib/domain/mail-outbox.js'
import { maintain } from '../../../lib/domain/maintenance/maintenance.js'
import { plans } from '../../../lib/domain/usage/plans.js'
import { meterCall } from '../../../lib/domain/usage/usage-metering.js'
import { sendMail } from '../../../lib/mail/mail.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites } from '../../support/failpoint.js'
import { createTestUser } from '../../support/users.js'

vi.mock('../../../lib/mail/mail.js', () => ({ sendMail: vi.fn() }))

// Ahead of the real clock: a server removes mails that are over by that.
const NOW = new Date('2126-11-12T12:00:00Z')
const DAY_MS = 24 * 60 * 60 * 1000
const later = (ms: number) => new Date(NOW.getTime() + ms)
const WARNING = 'Most of your monthly plan is used'
const LIMIT = 'Your monthly plan is used up'
const EMAIL = 'asha@example.com'

const transport = vi.mocked(sendMail)
/** The subjects of what was sent. Mails that are due at one moment go in any order. */
const sent = () => transport.mock.calls.map(([{ subject }]) => subject)

let userId: ObjectId
async function start(): Promise<void> {
  await emptyDatabase()
  transport.mockReset().mockResolvedValue()
  userId = (await createTestUser({ email: EMAIL, name: 'Asha', plainPassword: null })).user._id
}
beforeEach(start)

const end = (sessionId: string, seconds: number, now = NOW) =>
  meterCall({ userId, sessionId, startedAt: now, seconds, status: 'completed' }, now)

const subscribe = async (plan: string) => {
  const profile = { subscription: { plan }, createdAt: NOW, updatedAt: NOW }
  await (await userProfiles.openGuarded()).updateOne({ userId }, { $set: profile }, { upsert: true })
}

describe('a user', () => {
  it('is told once at 80 % of the calls, and once at the limit', async () => {
    for (let i = 0; i < 12; i++) {
      await end(`a-${i}`, 6)
      await sweepAccountMail(NOW)
      expect(sent(), `${i + 1} calls`).toEqual([
        ...(i + 1 >= 8 ? [WARNING] : []),
        ...(i + 1 >= 10 ? [LIMIT] : []),
      ])
    }
    expect(transport.mock.calls.map(([{ to, text }]) => [to, text])).toEqual([
      [EMAIL, expect.stringMatching(/Hello Asha,.*8 of 10 calls and 0\.8 of 30 minutes.*December 1, 2126/s)],
      [EMAIL, expect.stringContaining('10 of 10 calls')],
    ])
  })

  it('is told at 80 % of the minutes, and at the limit', async () => {
    await end('a', 24 * 60 - 1)
    await sweepAccountMail(NOW)
    expect(sent()).toEqual([])
    await end('b', 1)
    await sweepAccountMail(NOW)
    expect(sent()).toEqual([WARNING])
    await end('c', 6 * 60)
    await sweepAccountMail(NOW)
    expect(sent()).toEqual([WARNING, LIMIT])
  })

  it('is told once of each, though sixty calls end at once', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => end(`a-${i}`, 6)))
    await Promise.all([1, 2, 3].map(() => sweepAccountMail(NOW)))
    await Promise.all(Array.from({ length: 10 }, (_, i) => end(`b-${i}`, 6)))
    await sweepAccountMail(later(DAY_MS))

    expect(sent().sort()).toEqual([WARNING, LIMIT])
  })

  it('is told again in the next month', async () => {
    for (const now of [NOW, later(30 * DAY_MS)]) {
      for (let i = 0; i < 9; i++) await end(`${now.getTime()}-${i}`, 6, now)
      await sweepAccountMail(now)
    }

    expect(sent()).toEqual([WARNING, WARNING])
  })

  it('is told nothing of calls that were only reserved, and nothing where there is no limit', async () => {
    for (let i = 0; i < 10; i++) await admitCall({}, { userId: String(userId), sessionId: `a-${i}` }, NOW)
    await end('a-0', 6)
    await subscribe('enterprise')
    for (let i = 0; i < 10; i++) await end(`b-${i}`, 600)
    await sweepAccountMail(NOW)

    expect(sent()).toEqual([])
  })

  it('is told nothing of a limit that the plan no longer has, nor of a month that is over', async () => {
    for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
    await subscribe('basic')
    await end('b', 6)
    expect(await testDatabase().db.collection('mailoutbox').countDocuments()).toBe(0)

    await start()
    await meterCall(
      { userId, sessionId: 'late', startedAt: NOW, seconds: 1800, status: 'completed' },
      later(30 * DAY_MS),
    )
    expect(await testDatabase().db.collection('mailoutbox').countDocuments()).toBe(0)
  })

  it('is not told what is not true any more by the time that the mail is sent', async () => {
    for (let i = 0; i < 10; i++) await end(`a-${i}`, 6)
    await subscribe('premium')

    expect(await sweepAccountMail(NOW)).toMatchObject({ sent: 0, dropped: 2 })
  })

  it('is told of each plan that a period has had, and of none twice', async () => {
    for (let i = 0; i < 10; i++) await end(`a-${i}`, 6)
    await sweepAccountMail(NOW)
    await subscribe('basic')
    for (let i = 0; i < 70; i++) await end(`b-${i}`, 6)
    expect(await maintain(later(1), failure => expect(failure).toBeUndefined())).toMatchObject({ ok: true })
    expect(sent().sort()).toEqual([WARNING, WARNING, LIMIT])

    await subscribe('free')
    await maintain(later(DAY_MS), failure => expect(failure).toBeUndefined())
    expect(sent().sort()).toEqual([WARNING, WARNING, LIMIT])
  })

  it('is not told a second time of a plan by a mail about the one that was had in between', async () => {
    await subscribe('basic')
    await end('a', 6)
    const periods = testDatabase().db.collection('usageperiods')
    const use = (minutes: number) => periods.updateOne({ userId }, { $set: { seconds: minutes * 60 } })
    await use(plans.basic.minutes * 0.8)
    await end('b', 6)
    await sweepAccountMail(NOW)
    await subscribe('premium')
    await use(plans.premium.minutes * 0.8)
    await end('c', 6)
    await subscribe('basic')

    expect(await sweepAccountMail(NOW)).toMatchObject({ sent: 0, dropped: 1 })
    expect(sent()).toEqual([WARNING])
  })

  it('is told by a mail about a plan where one about the period alone was left from before', async () => {
    for (let i = 0; i < 8; i++) await end(`a-${i}`, 6)
    const period = await testDatabase().db.collection('usageperiods').findOne({ userId })
    await testDatabase()
      .db.collection('mailoutbox')
      .updateOne({}, { $set: { about: period?._id } })
    expect(await sweepAccountMail(NOW)).toMatchObject({ sent: 0, dropped: 1 })

    await end('last', 6)
    await sweepAccountMail(NOW)

    expect(sent()).toEqual([WARNING])
  })

  it('is told later of a plan whose mail could not be sent before another plan was had', async () => {
    for (let i = 0; i < 8; i++) await end(`a-${i}`, 6)
    transport.mockRejectedValueOnce(new Error('away'))
    expect(await sweepAccountMail(NOW)).toMatchObject({ postponed: 1 })
    await subscribe('premium')
    expect(await sweepAccountMail(later(DAY_MS))).toMatchObject({ dropped: 1 })
    await subscribe('free')

    transport.mockClear()
    await end('last', 6, later(DAY_MS))
    await sweepAccountMail(later(DAY_MS))

    expect(sent()).toEqual([WARNING])
  })

  it('is told later what was not true when it was to be sent', async () => {
    for (let i = 0; i < 10; i++) await end(`a-${i}`, 6)
    await subscribe('premium')
    expect(await sweepAccountMail(NOW)).toMatchObject({ sent: 0, dropped: 2 })
    await subscribe('free')

    await end('last', 6)
    await sweepAccountMail(NOW)

    expect(sent().sort()).toEqual([WARNING, LIMIT])
  })

  it('is told later what was not true when it was tried again', async () => {
    for (let i = 0; i < 8; i++) await end(`a-${i}`, 6)
    transport.mockRejectedValueOnce(new Error('away'))
    expect(await sweepAccountMail(NOW)).toMatchObject({ postponed: 1 })
    const periods = testDatabase().db.collection('usageperiods')
    await periods.updateOne({ userId }, { $inc: { calls: -1 } })
    expect(await sweepAccountMail(later(DAY_MS))).toMatchObject({ dropped: 1 })

    transport.mockClear()
    await end('last', 6, later(DAY_MS))
    await sweepAccountMail(later(DAY_MS))

    expect(sent()).toEqual([WARNING])
  })

  it('that a period says was told before plans counted is not told again', async () => {
    for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
    const periods = testDatabase().db.collection('usageperiods')
    await periods.updateOne({ userId }, { $set: { alertedAt: { warning: NOW } } })

    for (let i = 0; i < 3; i++) await end(`b-${i}`, 6)
    await sweepAccountMail(NOW)

    expect(sent()).toEqual([LIMIT])
  })
})

describe('a mail that is due', () => {
  it('is lost at no write, and sent once', async () => {
    for (let writes = 0, outcome = ''; outcome !== 'done'; writes++) {
      await start()
      for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
      outcome = await crashAfterWrites(writes, () => end('last', 6))
      await sweepAccountMail(NOW)
      await end('last', 6)
      await end('next', 6)
      await sweepAccountMail(NOW)

      expect(sent(), `after ${writes} writes`).toEqual([WARNING])
    }
  })

  it('is sent by maintenance where a crash left it and no call comes', async () => {
    for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
    await crashAfterWrites(1, () => end('last', 6))

    await maintain(later(1), failure => expect(failure).toBeUndefined())

    expect(sent()).toEqual([WARNING])
  })

  it('goes out in the background of the request that caused it', async () => {
    for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
    const work: Promise<unknown>[] = []
    const last = { userId, sessionId: 'last', startedAt: NOW, seconds: 6, status: 'completed' as const }

    await meterCall(last, NOW, task => work.push(task))
    await Promise.all(work)

    expect(sent()).toEqual([WARNING])
  })

  it('fails no call that it cannot be asked for with, and is sent all the same', async () => {
    for (let i = 0; i < 7; i++) await end(`a-${i}`, 6)
    const work: Promise<unknown>[] = []
    const last = { userId, sessionId: 'last', startedAt: NOW, seconds: 6, status: 'completed' as const }

    const outcome = await crashAfterWrites(1, () => meterCall(last, NOW, task => work.push(task)))
    expect(outcome).toBe('done')
    await expect(Promise.all(work)).rejects.toThrow()
    expect(sent()).toEqual([])

    await maintain(later(1), failure => expect(failure).toBeUndefined())
    expect(sent()).toEqual([WARNING])
  })

  it('is forgotten with its account', async () => {
    for (let i = 0; i < 10; i++) await end(`a-${i}`, 6)

    expect(await forgetMails(EMAIL)).toBe(2)
    expect(await testDatabase().db.collection('mailoutbox').countDocuments()).toBe(0)
  })
})
