import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type ComposeMail, enqueueMail, mailOutbox, sweepMail } from '../../lib/domain/mail-outbox.js'
import { type Message, sendMail } from '../../lib/mail/mail.js'
import { emptyDatabase, testDatabase } from '../support/database.js'

vi.mock('../../lib/mail/mail.js', () => ({ sendMail: vi.fn() }))

// Ahead of the real clock: a server removes what is over by that.
const NOW = new Date('2126-03-01T12:00:00Z')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const transport = vi.mocked(sendMail)

/** Who was sent a mail, once for each. */
const recipients = () => transport.mock.calls.map(([{ to }]) => to)

const compose: ComposeMail = async (kind, to) => ({ to, subject: kind, text: 'text', html: 'html' })

const later = (ms: number) => new Date(NOW.getTime() + ms)
const stored = () => testDatabase().db.collection('mailoutbox').find().sort({ _id: 1 }).toArray()

/** A promise that is settled from outside. */
function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open }
}

beforeEach(async () => {
  await emptyDatabase()
  await mailOutbox.ensureIndexes()
  transport.mockReset().mockResolvedValue()
})

describe('asking for a mail', () => {
  it('stores whom and what kind of mail, and no word of it', async () => {
    await enqueueMail('reset-password', 'asha@example.com', NOW)

    expect(await stored()).toEqual([
      {
        _id: 'reset-password:asha@example.com',
        kind: 'reset-password',
        to: 'asha@example.com',
        state: 'due',
        dueAt: NOW,
        attempts: 0,
        createdAt: NOW,
        requestedAt: NOW,
        expiresAt: later(7 * 24 * HOUR_MS),
      },
    ])
  })

  it('is one mail however often and however concurrently it is asked for', async () => {
    await Promise.all(
      Array.from({ length: 32 }, (_, i) => enqueueMail('verify-email', 'asha@example.com', later(i))),
    )
    await enqueueMail('verify-email', 'asha@example.com', later(100))

    expect(await sweepMail(compose, later(200))).toMatchObject({ sent: 1 })
    expect(recipients()).toEqual(['asha@example.com'])
  })

  it('is a mail of its own for another kind or address', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    await enqueueMail('reset-password', 'asha@example.com', NOW)
    await enqueueMail('verify-email', 'ravi@example.com', NOW)

    expect(await sweepMail(compose, NOW)).toMatchObject({ sent: 3 })
  })

  it('leaves alone the mail that is being sent', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    const { opened, open } = gate()
    transport.mockReturnValueOnce(opened)
    const sweep = sweepMail(compose, NOW)
    await vi.waitFor(() => expect(recipients()).toHaveLength(1), 20_000)

    const [before] = await stored()
    await enqueueMail('verify-email', 'asha@example.com', later(500))
    expect(await stored()).toEqual([{ ...before, requestedAt: later(500) }])

    open()
    await sweep
    expect(await stored()).toMatchObject([{ state: 'sent' }])
    expect(await sweepMail(compose, later(HOUR_MS))).toMatchObject({ sent: 0 })
  })

  it('is a new mail once the last one was sent or dropped', async () => {
    await enqueueMail('reset-password', 'asha@example.com', NOW)
    await sweepMail(compose, NOW)
    await enqueueMail('reset-password', 'asha@example.com', later(1000))
    expect(await sweepMail(async () => undefined, later(1000))).toMatchObject({ dropped: 1 })
    await enqueueMail('reset-password', 'asha@example.com', later(2000))
    expect(await stored()).toMatchObject([{ state: 'due', attempts: 0, createdAt: later(2000) }])

    expect(await sweepMail(compose, later(2000))).toMatchObject({ sent: 1 })
  })

  it('does not make its recipient wait for a retry that is hours away', async () => {
    await enqueueMail('reset-password', 'asha@example.com', NOW)
    transport.mockRejectedValueOnce(new Error('away'))
    await sweepMail(compose, NOW)

    await enqueueMail('reset-password', 'asha@example.com', later(1000))

    expect(await sweepMail(compose, later(1000))).toMatchObject({ sent: 1 })
    const [mail] = await stored()
    expect(mail).not.toHaveProperty('lastError')
  })

  it('takes an address for an address, though it looks like an expression', async () => {
    await enqueueMail('verify-email', '$kind@example.com', NOW)
    await enqueueMail('verify-email', '$$ROOT', NOW)

    expect((await stored()).map(({ to }) => to)).toEqual(['$$ROOT', '$kind@example.com'])
  })

  it('writes for a repeated request as for a first one: time tells nothing', async () => {
    const written: number[] = []
    for (const at of [0, 1, 2]) {
      await enqueueMail('reset-password', 'asha@example.com', later(at))
      const [mail] = await stored()
      written.push(mail?.requestedAt.getTime() - NOW.getTime())
    }

    expect(written).toEqual([0, 1, 2])
  })
})

describe('a sweep', () => {
  it('composes at the moment of sending, and hands over what was composed', async () => {
    await enqueueMail('address-taken', 'asha@example.com', NOW)
    const composed: unknown[] = []

    await sweepMail(async (...asked) => {
      composed.push(asked.slice(0, 2))
      return compose(...asked)
    }, later(HOUR_MS))

    expect(composed).toEqual([['address-taken', 'asha@example.com']])
    const message: Message = { to: 'asha@example.com', subject: 'address-taken', text: 'text', html: 'html' }
    expect(transport.mock.calls).toEqual([[message]])
  })

  it('drops what nobody is to get, for good', async () => {
    await enqueueMail('reset-password', 'nobody@example.com', NOW)

    expect(await sweepMail(async () => undefined, NOW)).toEqual({
      sent: 0,
      dropped: 1,
      postponed: 0,
      failed: 0,
      left: 0,
    })
    expect(await sweepMail(compose, later(HOUR_MS))).toMatchObject({ sent: 0, dropped: 0 })
    expect(transport).not.toHaveBeenCalled()
  })

  it('takes so many at most, longest due first, and says how many are left', async () => {
    for (const [i, to] of ['c@example.com', 'a@example.com', 'b@example.com'].entries())
      await enqueueMail('verify-email', to, later(3 - i))

    expect(await sweepMail(compose, later(10), 2)).toMatchObject({ sent: 2, left: 1 })
    expect(recipients()).toEqual(['b@example.com', 'a@example.com'])
    expect(await sweepMail(compose, later(10), 2)).toMatchObject({ sent: 1, left: 0 })
  })

  it('takes nothing that is due later', async () => {
    await enqueueMail('verify-email', 'asha@example.com', later(1000))

    expect(await sweepMail(compose, NOW, 1)).toMatchObject({ sent: 0, left: 0 })
  })

  it('takes no further mail after its time, and leaves the rest to the next one', async () => {
    for (const to of ['a@example.com', 'b@example.com', 'c@example.com'])
      await enqueueMail('verify-email', to, NOW)
    const startedAt = Date.now()
    const clock = vi.spyOn(Date, 'now').mockReturnValue(startedAt)
    transport.mockImplementationOnce(async () => void clock.mockReturnValue(startedAt + 10_000))

    expect(await sweepMail(compose, NOW)).toMatchObject({ sent: 1, left: 2 })
  })

  it('sends each mail once, of a hundred mails and thirty-two sweeps at once', async () => {
    const addresses = Array.from({ length: 100 }, (_, i) => `user-${i}@example.com`)
    await Promise.all(addresses.map(to => enqueueMail('verify-email', to, NOW)))

    const sweeps = await Promise.all(Array.from({ length: 32 }, () => sweepMail(compose, NOW, 100)))

    expect(recipients().sort()).toEqual(addresses.sort())
    expect(sweeps.reduce((sum, { sent }) => sum + sent, 0)).toBe(100)
    expect((await stored()).every(({ state, attempts }) => state === 'sent' && attempts === 1)).toBe(true)
  }, 120_000)
})

describe('a mail that cannot be sent', () => {
  it('is tried again after 1 m, 5 m, 30 m, 2 h and 12 h, and then given up', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    transport.mockRejectedValue(Object.assign(new Error('away'), { code: 'ECONNECTION' }))
    let now = NOW
    for (const minutes of [1, 5, 30, 120, 720]) {
      expect(await sweepMail(compose, now)).toMatchObject({ postponed: 1, failed: 0 })
      const [mail] = await stored()
      const delayMs = mail?.dueAt.getTime() - now.getTime()
      // The delay runs from the failure, and the clock runs on during a sweep.
      expect(delayMs).toBeGreaterThanOrEqual(minutes * MINUTE_MS)
      expect(delayMs).toBeLessThan(minutes * MINUTE_MS + 30_000)
      expect(mail).toMatchObject({ state: 'due', lastError: 'ECONNECTION' })
      expect(await sweepMail(compose, new Date(mail?.dueAt.getTime() - 1))).toMatchObject({ postponed: 0 })
      now = mail?.dueAt
    }

    expect(await sweepMail(compose, now)).toMatchObject({ postponed: 0, failed: 1 })
    expect(await stored()).toMatchObject([{ state: 'failed', attempts: 6, lastError: 'ECONNECTION' }])
    expect(await sweepMail(compose, later(6 * 24 * HOUR_MS))).toMatchObject({ failed: 0, postponed: 0 })
    expect(transport).toHaveBeenCalledTimes(6)
  })

  it('keeps no other from being sent', async () => {
    await enqueueMail('verify-email', 'bad@example.com', NOW)
    await enqueueMail('verify-email', 'asha@example.com', later(1))
    transport.mockRejectedValueOnce(new Error('refused'))

    expect(await sweepMail(compose, later(1))).toMatchObject({ sent: 1, postponed: 1 })
  })

  it('is tried again too when it cannot be composed', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)

    expect(await sweepMail(() => Promise.reject(new TypeError('bug')), NOW)).toMatchObject({ postponed: 1 })
    expect(await stored()).toMatchObject([{ state: 'due', lastError: 'TypeError' }])
  })

  it('remembers what kind of failure it was, and nothing that the server quoted', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    const refusal = new Error('550 <asha@example.com>: no such mailbox')
    transport.mockRejectedValueOnce(Object.assign(refusal, { code: 'EENVELOPE', responseCode: 550 }))

    await sweepMail(compose, NOW)

    expect(await stored()).toMatchObject([{ lastError: 'EENVELOPE 550' }])
  })
})

describe('a sweep that is lost', () => {
  it('leaves its mail to another one when its lease is over, not before', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    const { opened, open } = gate()
    transport.mockReturnValueOnce(opened)
    const lost = sweepMail(compose, NOW)
    await vi.waitFor(() => expect(recipients()).toHaveLength(1), 20_000)

    expect(await sweepMail(compose, later(MINUTE_MS))).toMatchObject({ sent: 0 })
    expect(await sweepMail(compose, later(3 * MINUTE_MS))).toMatchObject({ sent: 1 })

    expect(recipients()).toEqual(['asha@example.com', 'asha@example.com'])
    open()
    await lost
  })

  it('has no say any more about a mail that is another sweep’s', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    const [first, second] = [gate(), gate()]
    transport.mockReturnValueOnce(first.opened.then(() => Promise.reject(new Error('late'))))
    transport.mockReturnValueOnce(second.opened)
    const lost = sweepMail(compose, NOW)
    await vi.waitFor(() => expect(recipients()).toHaveLength(1), 20_000)
    const taken = sweepMail(compose, later(3 * MINUTE_MS))
    await vi.waitFor(() => expect(recipients()).toHaveLength(2), 20_000)

    first.open()
    await lost
    expect(await stored()).toMatchObject([{ state: 'sending', attempts: 2 }])
    second.open()
    await taken
    expect(await stored()).toMatchObject([{ state: 'sent', attempts: 2 }])
  })

  it('leases a mail from when it takes it, however long the mails before took', async () => {
    await enqueueMail('verify-email', 'slow@example.com', NOW)
    await enqueueMail('verify-email', 'next@example.com', later(1))
    const startedAt = Date.now()
    const clock = vi.spyOn(Date, 'now').mockReturnValue(startedAt)
    transport.mockImplementationOnce(async () => void clock.mockReturnValue(startedAt + 9_000))
    let leasedUntil: Date | undefined
    transport.mockImplementationOnce(async () => {
      leasedUntil = (await stored()).find(({ state }) => state === 'sending')?.dueAt
    })

    await sweepMail(compose, later(1))

    expect(leasedUntil).toEqual(later(1 + 9_000 + 2 * MINUTE_MS))
  })

  it('is not repeated for ever by a mail that is what loses it', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    await testDatabase()
      .db.collection('mailoutbox')
      .updateOne({}, { $set: { state: 'sending', attempts: 6 } })

    expect(await sweepMail(compose, NOW)).toMatchObject({ failed: 1 })
    expect(await stored()).toMatchObject([{ state: 'failed', lastError: 'sender_lost' }])
    expect(transport).not.toHaveBeenCalled()
  })
})

describe('the collection', () => {
  it('parses what is stored', async () => {
    await enqueueMail('verify-email', 'asha@example.com', NOW)
    transport.mockRejectedValueOnce(new Error('away'))
    await sweepMail(compose, NOW)

    const [mail] = await stored()
    expect(mailOutbox.schema.parse(mail)).toEqual(mail)
  })
})
