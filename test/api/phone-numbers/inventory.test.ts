import { beforeEach, describe, expect, it } from 'vitest'
import numberRoute from '../../../api/phone-numbers/[phoneNumber].js'
import numbersRoute from '../../../api/phone-numbers/index.js'
import { createApiKey, Scope } from '../../../lib/domain/accounts/api-keys.js'
import { assignPhoneNumber } from '../../../lib/domain/phones/phone-assignments.js'
import type { PublicPhoneNumber } from '../../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase } from '../../support/database.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { adminToken, type CallOptions, call } from '../../support/request.js'
import { createTestUser } from '../../support/users.js'

const [A, B, C] = ['+918047101230', '+918047101231', '+918047101232'] as const

interface Page {
  success: boolean
  data: { items: Wire<PublicPhoneNumber>[]; nextCursor: string | null; added: number }
}

const asAdmin = (options: CallOptions = {}): CallOptions => ({ token: adminToken(), ...options })
const list = (query = '', options = asAdmin()) =>
  call<Page>(numbersRoute, 'GET', `/api/phone-numbers${query}`, options)
const add = (phoneNumbers: unknown, options: CallOptions = {}) =>
  call<Page>(numbersRoute, 'POST', '/api/phone-numbers', asAdmin({ body: { phoneNumbers }, ...options }))
const remove = (number: string, options = asAdmin()) =>
  call(numberRoute, 'DELETE', `/api/phone-numbers/${number}`, options)

beforeEach(() => emptyDatabase())

describe('the inventory', () => {
  it('is filled by admins, with numbers however they are written', async () => {
    const added = await add([
      { phoneNumber: '080 4710 1230', provider: ' exotel ' },
      { phoneNumber: B },
      { phoneNumber: '+91-80-4710-1231' },
      { phoneNumber: '+1234567890', userId: '000000000000000000000000' },
    ])

    expect(added).toMatchObject({ status: 201, body: { success: true, data: { added: 3 } } })
    expect((await add([{ phoneNumber: A }])).body.data.added).toBe(0)
    const free = { provider: null, userId: null, assignedAt: null, createdAt: expect.stringMatching(/Z$/) }
    expect((await list()).body).toEqual({
      success: true,
      data: {
        items: [
          { ...free, phoneNumber: '+1234567890' },
          { ...free, phoneNumber: A, provider: 'exotel' },
          { ...free, phoneNumber: B },
        ],
        nextCursor: null,
      },
    })
  })

  it('takes a thousand numbers at once, whatever their providers are called', async () => {
    const thousand = Array.from({ length: 1_000 }, (_, i) => ({
      phoneNumber: `tel:+91 (80) 4710-${1_000 + i}`,
      // Of the greatest length, of which JSON makes six times as much.
      provider: '\u0001'.repeat(100),
    }))

    expect(await add(thousand)).toMatchObject({ status: 201, body: { data: { added: 1_000 } } })
  })

  it('takes all of a request or nothing', async () => {
    for (const bad of ['hello', '', null, { $gt: '' }])
      expect(await add([{ phoneNumber: A }, { phoneNumber: bad }])).toMatchObject({
        status: 400,
        body: { details: [{ path: 'phoneNumbers.1.phoneNumber' }] },
      })
    for (const bad of [undefined, [], 'x', Array.from({ length: 1_001 }, () => ({ phoneNumber: A }))])
      expect((await add(bad)).status).toBe(400)
    expect((await list()).body.data.items).toEqual([])
  })

  it('is listed a page at a time, also by a client that forgets to encode the cursor', async () => {
    await add([A, B, C].map(phoneNumber => ({ phoneNumber })))
    const { user } = await createTestUser()
    await assignPhoneNumber(user._id, B, new Date())
    const numbersOf = async (query: string) => {
      const { items, nextCursor } = (await list(query)).body.data
      return [items.map(({ phoneNumber }) => phoneNumber), nextCursor]
    }

    expect(await numbersOf('?limit=2')).toEqual([[A, B], B])
    expect(await numbersOf(`?limit=2&cursor=${encodeURIComponent(B)}`)).toEqual([[C], null])
    expect(await numbersOf(`?limit=2&cursor=${B}`)).toEqual([[C], null])
    expect(await numbersOf('?state=free')).toEqual([[A, C], null])
    expect((await list('?state=assigned')).body.data.items).toMatchObject([
      { phoneNumber: B, userId: String(user._id), assignedAt: expect.any(String) },
    ])
    for (const bad of ['?limit=0', '?limit=201', '?state=lost', `?cursor=${'9'.repeat(33)}`])
      expect(await list(bad)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })

  it('loses a number that is free, and no other', async () => {
    await add([A, B].map(phoneNumber => ({ phoneNumber })))
    const { user } = await createTestUser()
    await assignPhoneNumber(user._id, A, new Date())

    expect(await remove(B)).toMatchObject({ status: 200, body: { success: true } })
    expect(await remove(encodeURIComponent(B))).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await remove(encodeURIComponent('+91 80 4710 1230'))).toMatchObject({
      status: 409,
      body: { code: 'conflict', message: 'This phone number is assigned.' },
    })
    expect((await remove('hello')).status).toBe(400)
    expect((await list()).body.data.items).toHaveLength(1)
  })

  it('is an admin’s alone, by account or by the bootstrap token', async () => {
    const admin = await createTestUser({ role: 'admin' })
    const user = await createTestUser()
    const { key } = await createApiKey({ scopes: Scope.options }, undefined, new Date())
    expect((await add([{ phoneNumber: A }], { token: admin.token })).status).toBe(201)

    const others: [CallOptions, number][] = [
      [{}, 401],
      [{ token: user.token }, 403],
      [{ token: key }, 403],
    ]
    for (const [options, status] of others) {
      expect((await list('', options)).status).toBe(status)
      expect((await remove(A, options)).status).toBe(status)
      const body = { phoneNumbers: [{ phoneNumber: C }] }
      const refused = await call(numbersRoute, 'POST', '/api/phone-numbers', { ...options, body })
      expect(refused.status).toBe(status)
    }
    expect((await list()).body.data.items.map(({ phoneNumber }) => phoneNumber)).toEqual([A])
  })
})
