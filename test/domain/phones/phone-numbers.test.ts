import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ObjectId } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import {
  assignPhoneNumber,
  releasePhoneNumbers,
  releaseStrayNumbers,
} from '../../../lib/domain/phones/phone-assignments.js'
import {
  addPhoneNumbers,
  InventoryNumber,
  listPhoneNumbers,
  phoneNumbers,
  removePhoneNumber,
} from '../../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { assignNumbers } from './assign-numbers.js'

const NOW = new Date('2026-03-01T12:00:00Z')
const HOUR_MS = 60 * 60 * 1000
const LATER = new Date(NOW.getTime() + HOUR_MS)
const [A, B, C, D, E] = numbers(5) as [string, string, string, string, string]

const db = () => testDatabase().db
const inventory = () => db().collection<{ _id: string; userId?: ObjectId }>('phonenumbers')
const profiles = () => db().collection('userprofiles')

/** Indian mobile numbers, smallest first. */
function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `+9198765${43210 + i}`)
}

function fill(...list: string[]): Promise<number> {
  return addPhoneNumbers(
    list.map(phoneNumber => ({ phoneNumber })),
    NOW,
  )
}

function ids(count: number): string[] {
  return Array.from({ length: count }, () => new ObjectId().toHexString())
}

/** Whose each number is by the inventory, and by the profiles. */
async function owners(): Promise<{ inventory: Record<string, string>; profiles: Record<string, string> }> {
  const [assigned, named] = await Promise.all([
    inventory()
      .find({ userId: { $exists: true } })
      .toArray(),
    profiles()
      .find({ assignedPhoneNumber: { $gt: '' } })
      .toArray(),
  ])
  return {
    inventory: Object.fromEntries(assigned.map(({ _id, userId }) => [_id, String(userId)])),
    profiles: Object.fromEntries(named.map(profile => [profile.assignedPhoneNumber, String(profile.userId)])),
  }
}

/** Inventory and profiles say the same, which is returned. */
async function agreed(): Promise<Record<string, string>> {
  const both = await owners()
  expect(both.inventory).toEqual(both.profiles)
  return both.inventory
}

beforeEach(async () => {
  await emptyDatabase()
  await Promise.all([phoneNumbers.ensureIndexes(), userProfiles.ensureIndexes()])
})

describe('a race', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill()
  })

  it('of 32 users for 5 numbers has 5 winners', async () => {
    await fill(A, B, C, D, E)
    const users = ids(32)

    const outcomes = await assignNumbers(users)

    expect(outcomes.filter(outcome => outcome === 'conflict')).toHaveLength(27)
    const winners = users.flatMap((id, i) => (outcomes[i] === 'conflict' ? [] : [[outcomes[i], id]]))
    expect(await agreed()).toEqual(Object.fromEntries(winners))
    expect(winners).toHaveLength(5)
  })

  it('of 32 users in two processes for 5 numbers has 5 winners', async () => {
    await fill(A, B, C, D, E)
    const users = ids(32)
    const processes = await Promise.all([start(), start()])

    const [first, second] = await Promise.all(
      processes.map((child, i) => answerOf(child, users.slice(16 * i, 16 * (i + 1)))),
    )

    const outcomes = [...(first ?? []), ...(second ?? [])]
    expect(outcomes.filter(outcome => outcome === 'conflict')).toHaveLength(27)
    const winners = users.flatMap((id, i) => (outcomes[i] === 'conflict' ? [] : [[outcomes[i], id]]))
    expect(await agreed()).toEqual(Object.fromEntries(winners))
  })

  it('for as many numbers as there are users leaves nobody without', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
      await fill(...numbers(12))

      expect((await assignNumbers(ids(12))).sort()).toEqual(numbers(12))
      expect(Object.keys(await agreed())).toHaveLength(12)
    }
  })

  it('for one number has one winner', async () => {
    await fill(A)
    const users = ids(16)

    const outcomes = await Promise.allSettled(users.map(id => assignPhoneNumber(new ObjectId(id), A, NOW)))

    const won = users.filter((_, i) => outcomes[i]?.status === 'fulfilled')
    expect(won).toHaveLength(1)
    expect(await agreed()).toEqual({ [A]: won[0] })
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
  })

  // Each begins with A. `undefined` is any number.
  it.each([
    [undefined, undefined],
    [undefined, B],
    [B, undefined],
    [A, B],
    [B, A],
    [B, C],
    [B, B],
  ])('of a user with itself leaves one number at every interleaving: %s while %s', async (first, second) => {
    for (const before of [undefined, A])
      for (let writes = 0, paused = true; paused; writes++) {
        await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
        await fill(A, B, C)
        const user = new ObjectId()
        if (before !== undefined) await assignPhoneNumber(user, before, NOW)

        const interrupted = await pauseAfterWrites(writes, () => assignPhoneNumber(user, first, NOW))
        const given = await assignPhoneNumber(user, second, NOW)
        const last = await interrupted.finish()

        paused = interrupted.paused
        const [named = '', ...more] = Object.keys(await agreed())
        expect([given, last], `paused after ${writes} writes`).toContain(named)
        expect(more).toEqual([])
      }
  })

  it('of a user with itself and back again leaves one number at every interleaving', async () => {
    for (let writes = 0, paused = true; paused; writes++) {
      await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
      await fill(A, B, C)
      const user = new ObjectId()
      await assignPhoneNumber(user, A, NOW)

      const interrupted = await pauseAfterWrites(writes, () => assignPhoneNumber(user, B, NOW))
      await assignPhoneNumber(user, C, NOW)
      await assignPhoneNumber(user, A, NOW)
      const last = await interrupted.finish()

      paused = interrupted.paused
      expect([{ [A]: String(user) }, { [last]: String(user) }]).toContainEqual(await agreed())
    }
  })

  it('of a user with itself ends with the one number that its profile names', async () => {
    await fill(A, B, C)
    const user = new ObjectId()
    for (let round = 0; round < 10; round++) {
      const wanted = [A, B, C, undefined, A, B]
      const given = await Promise.all(wanted.map(number => assignPhoneNumber(user, number, NOW)))

      expect(given.map((number, i) => wanted[i] ?? number)).toEqual(given)
      const [named = '', ...more] = Object.keys(await agreed())
      expect(given).toContain(named)
      expect(more).toEqual([])
    }
  })

  async function start(): Promise<ChildProcess> {
    const child = fork(join(import.meta.dirname, 'assign-numbers.ts'), { execArgv: ['--import', 'tsx'] })
    children.push(child)
    await next(child)
    return child
  }

  function answerOf(child: ChildProcess, userIds: string[]): Promise<string[]> {
    child.send(userIds)
    return next(child) as Promise<string[]>
  }

  /** The next message of a process, which must not end before. */
  async function next(child: ChildProcess): Promise<unknown> {
    const ended = once(child, 'exit').then(([code]) =>
      Promise.reject(new Error(`the process ended with ${code}`)),
    )
    const [message] = await Promise.race([once(child, 'message'), ended])
    return message
  }
})

describe('a number', () => {
  it('is only given from the inventory, and only when it is free', async () => {
    await fill(A)
    const [owner, other] = [new ObjectId(), new ObjectId()]

    await expect(assignPhoneNumber(owner, B, NOW)).rejects.toMatchObject({ code: 'not_found' })
    expect(await assignPhoneNumber(owner, A, NOW)).toBe(A)
    await expect(assignPhoneNumber(other, A, NOW)).rejects.toMatchObject({ code: 'conflict' })
    await expect(assignPhoneNumber(other, undefined, NOW)).rejects.toMatchObject({
      code: 'conflict',
      message: 'No phone number is free.',
    })
    expect(await agreed()).toEqual({ [A]: String(owner) })
  })

  it('stays with who asks again, for it or for any', async () => {
    await fill(A, B)
    const user = new ObjectId()

    expect(await assignPhoneNumber(user, B, NOW)).toBe(B)
    expect(await assignPhoneNumber(user, B, LATER)).toBe(B)
    expect(await assignPhoneNumber(user, undefined, LATER)).toBe(B)
    expect(await agreed()).toEqual({ [B]: String(user) })
  })

  it('is given back when another one replaces it', async () => {
    await fill(A, B)
    const [user, other] = [new ObjectId(), new ObjectId()]
    await assignPhoneNumber(user, A, NOW)

    expect(await assignPhoneNumber(user, B, LATER)).toBe(B)
    expect(await assignPhoneNumber(other, A, LATER)).toBe(A)
    expect(await agreed()).toEqual({ [A]: String(other), [B]: String(user) })
  })

  it('is given back by who leaves', async () => {
    await fill(A)
    const user = new ObjectId()
    await assignPhoneNumber(user, A, NOW)

    await releasePhoneNumbers(user, LATER)

    expect(await agreed()).toEqual({})
    expect(await inventory().findOne({ _id: A })).toEqual({ _id: A, createdAt: NOW })
    expect(await assignPhoneNumber(new ObjectId(), undefined, LATER)).toBe(A)
  })

  it('of the old system stays with its user, though the inventory does not know it', async () => {
    await fill(A)
    const user = new ObjectId()
    await profiles().insertOne({ userId: user, assignedPhoneNumber: '+1234567890' })

    expect(await assignPhoneNumber(user, undefined, NOW)).toBe('+1234567890')
    expect((await owners()).profiles).toEqual({ '+1234567890': String(user) })
    expect(await assignPhoneNumber(user, A, NOW)).toBe(A)
    expect(await agreed()).toEqual({ [A]: String(user) })
  })

  it('is won by a user of the old system whose profile says null', async () => {
    await fill(A, B)
    const users = [new ObjectId(), new ObjectId()]
    await profiles().insertMany(users.map(userId => ({ userId, assignedPhoneNumber: null })))

    for (const user of users) await assignPhoneNumber(user, undefined, NOW)

    expect(await agreed()).toEqual({ [A]: String(users[0]), [B]: String(users[1]) })
  })
})

describe('where inventory and profiles disagree', () => {
  it('a profile is the last word on a number that the inventory takes for free', async () => {
    await fill(A, B)
    const [holder, other] = [new ObjectId(), new ObjectId()]
    await profiles().insertOne({ userId: holder, assignedPhoneNumber: A })

    await expect(assignPhoneNumber(other, A, NOW)).rejects.toMatchObject({ code: 'conflict' })
    expect(await agreed()).toEqual({ [A]: String(holder) })
  })

  it('who wants any number gets the next one', async () => {
    await fill(A, B)
    const [holder, other] = [new ObjectId(), new ObjectId()]
    await profiles().insertOne({ userId: holder, assignedPhoneNumber: A })

    expect(await assignPhoneNumber(other, undefined, NOW)).toBe(B)
    expect(await agreed()).toEqual({ [A]: String(holder), [B]: String(other) })
  })

  it.each([A, undefined])('who has it by the profile gets it back from the inventory: %s', async wanted => {
    const [holder, other] = [new ObjectId(), new ObjectId()]
    await inventory().insertOne({ _id: A, userId: other })
    await profiles().insertOne({ userId: holder, assignedPhoneNumber: A })

    await expect(assignPhoneNumber(other, A, NOW)).rejects.toMatchObject({ code: 'conflict' })
    expect(await assignPhoneNumber(holder, wanted, NOW)).toBe(A)
    expect(await agreed()).toEqual({ [A]: String(holder) })
  })

  it('a number that comes into the inventory is whose profile names it already', async () => {
    const holder = new ObjectId()
    await profiles().insertOne({ userId: holder, assignedPhoneNumber: A })

    expect(await fill(A, B)).toBe(2)

    expect(await agreed()).toEqual({ [A]: String(holder) })
    await expect(removePhoneNumber(A)).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('a crash', () => {
  const user = new ObjectId()
  const other = new ObjectId()

  it.each([
    ['a first number', undefined, A],
    ['any first number', undefined, undefined],
    ['another number', A, B],
  ])('after any write of assigning %s is mended by the retry', async (_, before, wanted) => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
      await fill(A, B)
      if (before !== undefined) await assignPhoneNumber(user, before, NOW)

      ended = await crashAfterWrites(writes, () => assignPhoneNumber(user, wanted, NOW))
      expect(await assignPhoneNumber(user, wanted, NOW)).toBe(wanted ?? A)
      await releaseStrayNumbers(LATER)

      expect(await agreed(), `after ${writes} writes`).toEqual({ [wanted ?? A]: String(user) })
      expect(await assignPhoneNumber(other, undefined, LATER)).toBe(wanted === B ? A : B)
    }
  })

  it.each([
    ['a first number', undefined, A],
    ['another number', A, B],
  ])(
    'after any write of assigning %s is mended by maintenance, where nobody tries again',
    async (_, before, wanted) => {
      for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
        await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
        await fill(A, B)
        if (before !== undefined) await assignPhoneNumber(user, before, NOW)

        ended = await crashAfterWrites(writes, () => assignPhoneNumber(user, wanted, NOW))
        await releaseStrayNumbers(LATER)

        const named = Object.keys(await agreed())
        expect([[before], [wanted], []], `after ${writes} writes`).toContainEqual(named)
      }
    },
  )

  it('after any write of leaving is mended by the retry', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await Promise.all([inventory().deleteMany({}), profiles().deleteMany({})])
      await fill(A)
      await assignPhoneNumber(user, A, NOW)

      ended = await crashAfterWrites(writes, () => releasePhoneNumbers(user, NOW))
      // A number that is not routed any more may still be taken, but never the other way round.
      const { inventory: taken, profiles: routed } = await owners()
      expect({ ...taken, ...routed }).toEqual(taken)
      await releasePhoneNumbers(user, NOW)

      expect(await agreed(), `after ${writes} writes`).toEqual({})
    }
  })
})

describe('maintenance', () => {
  it('gives back what no profile names, once no request can be at it', async () => {
    await fill(A, B, C)
    const user = new ObjectId()
    await assignPhoneNumber(user, B, NOW)
    for (const _id of [A, C])
      await inventory().updateOne({ _id }, { $set: { userId: user, assignedAt: NOW } as object })

    expect(await releaseStrayNumbers(new Date(NOW.getTime() + 9 * 60_000))).toBe(0)
    expect(await releaseStrayNumbers(new Date(NOW.getTime() + 11 * 60_000))).toBe(2)
    expect(await agreed()).toEqual({ [B]: String(user) })
  })

  it('goes through an inventory of any size in few queries', async () => {
    const all = numbers(1_200)
    await fill(...all)
    const strays = all.filter((_, i) => i % 3 === 0)
    await inventory().updateMany(
      { _id: { $in: strays } },
      { $set: { userId: new ObjectId(), assignedAt: NOW } as object },
    )

    expect(await releaseStrayNumbers(LATER)).toBe(400)
    expect(await agreed()).toEqual({})
  })
})

describe('a number that is called', () => {
  it('is one profile from an index, however many there are', async ({ skip }) => {
    const all = numbers(500)
    await profiles().insertMany(
      all.map(assignedPhoneNumber => ({ userId: new ObjectId(), assignedPhoneNumber })),
    )

    const explained = await profiles()
      .find({ assignedPhoneNumber: all[250] ?? '' })
      .explain('executionStats')
    const plan = JSON.stringify(explained)

    skip(!explained.queryPlanner?.winningPlan, 'this engine keeps its plans to itself')
    expect(plan).toContain('IXSCAN')
    expect(plan).not.toContain('COLLSCAN')
    expect(plan).toMatch(/"totalDocsExamined":"?1\D/)
  })
})

describe('the inventory', () => {
  it.each([
    ['+91 98765-43210', '+919876543210'],
    ['9876543210', '+919876543210'],
    [' +1 (415) 200-1234 ', '+14152001234'],
    ['tel:+918047101234', '+918047101234'],
    ['080 4710 1234', '+918047101234'],
    ['918047101234', '+918047101234'],
    ['00918047101234', '+918047101234'],
    ['＋９１８０４７１０１２３４', '+918047101234'],
    ['+1234567890', '+1234567890'],
    ['+1 (234) 567.890', '+1234567890'],
    [' +1 234 567-890 ', '+1234567890'],
    ['56161', '56161'],
  ])('takes %j for %s', (written, number) => expect(InventoryNumber.parse(written)).toBe(number))

  it.each([
    '',
    '12',
    'hello',
    'anonymous',
    '$ne',
    'sip:918047101234@example.com',
    'phone (E.164)',
    '9.19877E+11',
    '+9198765x3210',
    '98765;43210',
    '+',
    '---',
    '1'.repeat(33),
  ])('does not take %j for a number', written =>
    expect(InventoryNumber.safeParse(written).success).toBe(false),
  )

  it('grows by what is new, and leaves alone what is there', async () => {
    const user = new ObjectId()
    await addPhoneNumbers([{ phoneNumber: A, provider: 'twilio' }], NOW)
    await assignPhoneNumber(user, A, NOW)

    const added = await addPhoneNumbers(
      [{ phoneNumber: A, provider: 'exotel' }, { phoneNumber: B }, { phoneNumber: B, provider: 'exotel' }],
      LATER,
    )

    expect(added).toBe(1)
    expect(await inventory().find().sort({ _id: 1 }).toArray()).toMatchObject([
      { _id: A, provider: 'twilio', userId: user, createdAt: NOW },
      { _id: B, createdAt: LATER },
    ])
    expect(await addPhoneNumbers([], NOW)).toBe(0)
  })

  it('takes the same numbers from many at once', async () => {
    const added = await Promise.all(Array.from({ length: 8 }, () => fill(...numbers(20))))

    expect(added.reduce((sum, count) => sum + count, 0)).toBe(20)
    expect(await inventory().countDocuments()).toBe(20)
  })

  it('is listed by number, a page at a time', async () => {
    await fill(A, B, C, D, E)
    const user = new ObjectId()
    await assignPhoneNumber(user, B, NOW)
    const page = async (filter: Partial<Parameters<typeof listPhoneNumbers>[0]>) => {
      const { items, nextCursor } = await listPhoneNumbers({ state: 'all', limit: 2, ...filter })
      return [items.map(({ phoneNumber }) => phoneNumber), nextCursor]
    }

    expect(await page({})).toEqual([[A, B], B])
    expect(await page({ cursor: B })).toEqual([[C, D], D])
    expect(await page({ cursor: D })).toEqual([[E], null])
    expect(await page({ state: 'free' })).toEqual([[A, C], C])
    expect(await page({ state: 'free', cursor: C })).toEqual([[D, E], null])
    expect(await page({ state: 'assigned' })).toEqual([[B], null])
    expect((await listPhoneNumbers({ state: 'assigned', limit: 2 })).items).toEqual([
      { phoneNumber: B, provider: null, userId: String(user), assignedAt: NOW, createdAt: NOW },
    ])
  })

  it('loses a number that is free, and no other', async () => {
    await fill(A, B)
    await assignPhoneNumber(new ObjectId(), A, NOW)

    await removePhoneNumber(B)
    await expect(removePhoneNumber(B)).rejects.toMatchObject({ code: 'not_found' })
    await expect(removePhoneNumber(A)).rejects.toMatchObject({ code: 'conflict' })
    expect(await inventory().countDocuments()).toBe(1)
  })
})
