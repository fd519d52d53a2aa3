import { beforeEach, describe, expect, it } from 'vitest'
import assignRoute from '../../../api/user/assign-phone.js'
import type { PublicProfile } from '../../../lib/domain/accounts/account-profiles.js'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { addPhoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { call } from '../../support/request.js'
import { createTestUser, type TestUser } from '../../support/users.js'

interface Answer {
  code?: string
  data: Wire<PublicProfile>
}

const FREE = ['+918047101230', '+918047101231', '+918047101232', '+918047101233', '+918047101234']

const assign = ({ token }: Pick<TestUser, 'token'>, body?: unknown) =>
  call<Answer>(assignRoute, 'POST', '/api/user/assign-phone', { token, body })

beforeEach(async () => {
  await emptyDatabase()
  await addPhoneNumbers(
    FREE.map(phoneNumber => ({ phoneNumber })),
    new Date(),
  )
})

describe('taking a number', () => {
  it('answers with the profile that has it, and routes its calls', async () => {
    const asha = await createTestUser()

    const answer = await assign(asha, { phoneNumber: '080 4710 1233' })

    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, data: { email: asha.user.email, profile: { assignedPhoneNumber: FREE[3] } } },
    })
    const called = { to: '+918047101233', sessionId: 'CA1' }
    expect((await admitCall({}, called, new Date())).userId).toBe(String(asha.user._id))
  })

  it('is of any free one without a body, and of no other one when asked again', async () => {
    const asha = await createTestUser()

    expect((await assign(asha)).body.data.profile.assignedPhoneNumber).toBe(FREE[0])
    for (const body of [undefined, {}])
      expect((await assign(asha, body)).body.data.profile.assignedPhoneNumber).toBe(FREE[0])
  })

  it('is refused outside the inventory, and where another was faster', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    await assign(asha, { phoneNumber: FREE[0] })

    expect(await assign(ravi, { phoneNumber: '+918047109999' })).toMatchObject({
      status: 404,
      body: { code: 'not_found', message: 'This phone number is not in the inventory.' },
    })
    expect(await assign(ravi, { phoneNumber: FREE[0] })).toMatchObject({
      status: 409,
      body: { code: 'conflict', message: 'This phone number is assigned to another account.' },
    })
    for (const phoneNumber of ['hello', '', null, 7, { $ne: null }, [FREE[1]]])
      expect(await assign(ravi, { phoneNumber })).toMatchObject({
        status: 400,
        body: { details: [{ path: 'phoneNumber' }] },
      })
    expect((await assign({ token: 'none' })).status).toBe(401)
  })

  it('of 32 users at once for 5 numbers has 5 winners and 27 conflicts', async () => {
    const users = await Promise.all(Array.from({ length: 32 }, () => createTestUser({ plainPassword: null })))

    const answers = await Promise.all(users.map(user => assign(user, {})))

    const winners = answers.filter(({ status }) => status === 200)
    expect(winners.map(({ body }) => body.data.profile.assignedPhoneNumber).sort()).toEqual(FREE)
    expect(answers.filter(({ status, body }) => status === 409 && body.code === 'conflict')).toHaveLength(27)
    const { db } = testDatabase()
    const inventory = await db.collection('phonenumbers').find().sort({ _id: 1 }).toArray()
    const profiles = await db
      .collection('userprofiles')
      .find({ assignedPhoneNumber: { $gt: '' } })
      .sort({ assignedPhoneNumber: 1 })
      .toArray()
    expect(inventory.map(({ _id, userId }) => [String(_id), String(userId)])).toEqual(
      profiles.map(({ assignedPhoneNumber, userId }) => [assignedPhoneNumber, String(userId)]),
    )
  })
})
