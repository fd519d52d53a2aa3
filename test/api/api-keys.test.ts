import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import keyRoute from '../../api/api-keys/[id].js'
import keysRoute from '../../api/api-keys/index.js'
import meRoute from '../../api/auth/me.js'
import leadsRoute from '../../api/leads/index.js'
import { ApiKey, apiKeys, type PublicApiKey } from '../../lib/domain/accounts/api-keys.js'
import { administerUser } from '../../lib/domain/accounts/user-administration.js'
import type { LeadPage } from '../../lib/domain/leads/lead-list.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import { observeClients } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

interface Made {
  success: boolean
  data: { key: string; apiKey: Wire<PublicApiKey> }
}

const MINUTE_MS = 60_000

let asha: TestUser
let ravi: TestUser

beforeEach(async () => {
  await emptyDatabase()
  ;[asha, ravi] = [await createTestUser(), await createTestUser()]
})

const create = (token: string, body: object) =>
  call<Made>(keysRoute, 'POST', '/api/api-keys', { token, body })
const list = (token: string, query = '') =>
  call<{ data: { items: Wire<PublicApiKey>[]; nextCursor: string | null } }>(
    keysRoute,
    'GET',
    `/api/api-keys${query}`,
    { token },
  )
const revoke = (token: string, id: string) => call(keyRoute, 'DELETE', `/api/api-keys/${id}`, { token })
const stored = async () =>
  (await testDatabase().db.collection('apikeys').find().toArray()).map(each => ApiKey.parse(each))

const make = async (token: string, body: object = {}) =>
  (await create(token, { scopes: ['leads:read'], ...body })).body.data

const listLeads = (headers: Record<string, string>, query = '') =>
  call<Wire<LeadPage>>(leadsRoute, 'GET', `/api/leads${query}`, { headers })
const by = (key: string) => ({ 'x-api-key': key })
const statusOf = async (key: string) => (await listLeads(by(key))).status

describe('making a key', () => {
  it('shows it this once', async () => {
    const wishes = { name: ' CRM ', scopes: ['leads:read', 'calls:write'], microsites: ['lake.view'] }
    const { status, body } = await create(asha.token, wishes)

    expect(status).toBe(201)
    const { key, apiKey } = body.data
    expect(key).toMatch(/^llk_[A-Za-z0-9]{51}[0-9a-f]{8}$/)
    expect(apiKey).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      prefix: key.slice(0, 12),
      name: 'CRM',
      scopes: ['leads:read', 'calls:write'],
      userIds: null,
      microsites: ['lake.view'],
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
      createdAt: expect.any(String),
    })
    const listed = await list(asha.token)
    expect(listed.body.data).toEqual({ items: [apiKey], nextCursor: null })
    expect(listed.text).not.toContain(key.slice(12))
  })

  it('stores its hash and not the key', async () => {
    const { key } = await make(asha.token)

    const [document] = await stored()
    expect(document).toMatchObject({
      hash: createHash('sha256').update(key).digest('base64url'),
      ownerId: asha.user._id,
    })
    expect(JSON.stringify(document)).not.toContain(key.slice(12))
  })

  it('makes another one each time', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => make(asha.token)))

    expect(new Set(made.map(({ key }) => key)).size).toBe(20)
  })

  it.each<[string, object, string]>([
    ['no scope', { scopes: [] }, 'scopes'],
    ['an unknown scope', { scopes: ['admin'] }, 'scopes.0'],
    ['no microsite', { microsites: [] }, 'microsites'],
    ['a user that is none', { userIds: ['x'] }, 'userIds.0'],
    ['an end that is no time', { expiresAt: 'tomorrow' }, 'expiresAt'],
    ['an end that is past', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['no name', { name: ' ' }, 'name'],
  ])('is refused with %s', async (_, body, path) => {
    expect(await create(asha.token, { scopes: ['leads:read'], ...body })).toMatchObject({
      status: 400,
      body: { details: [{ path }] },
    })
  })

  it('gives no user a key to another’s data, and no owner of their choosing', async () => {
    const other = ravi.user._id.toHexString()

    const refused = await create(asha.token, { scopes: ['leads:read'], userIds: [other] })
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } })

    await make(asha.token, { ownerId: other, role: 'admin', revokedAt: null, _id: other, hash: 'x' })
    const [document] = await stored()
    expect(document?.ownerId).toEqual(asha.user._id)
    expect(document?._id.toHexString()).not.toBe(other)
  })

  it('makes a key of the deployment for an admin', async () => {
    const admin = await createTestUser({ role: 'admin' })
    for (const token of [admin.token, adminToken()]) expect((await make(token)).apiKey.userIds).toBeNull()

    for (const document of await stored()) expect(document).not.toHaveProperty('ownerId')
  })
})

describe('a text that is no key', () => {
  it('costs no query', async () => {
    const { key } = await make(asha.token)
    const body = key.slice(4, -8)
    const mistyped = [
      `llk_${body}${'0'.repeat(8)}`,
      `llk_${body.replace(/^./, first => (first === 'A' ? 'B' : 'A'))}${key.slice(-8)}`,
      key.slice(0, -1),
      `${key}0`,
      key.toUpperCase(),
      `llk_${'A'.repeat(59)}`,
      'llk_',
      'x'.repeat(4_000),
    ]
    const { closeDatabase } = await import('../../lib/db/client.js')
    await closeDatabase()
    const observed = observeClients()
    expect(await statusOf(key)).toBe(200)
    expect(observed.commands).toContain('find apikeys')
    observed.commands.length = 0

    for (const text of mistyped) expect(await statusOf(text), text).toBe(401)
    expect(observed.commands.filter(command => !command.endsWith('ratelimits'))).toEqual([])
  })

  it('is looked for where its checksum is right, and not found', async () => {
    const body = 'A'.repeat(51)
    const checksum = crc32(body).toString(16).padStart(8, '0')

    expect(await statusOf(`llk_${body}${checksum}`)).toBe(401)
  })
})

describe('a key', () => {
  it('proves itself in either header, and means it beside a token', async () => {
    const { key } = await make(asha.token)

    for (const headers of [
      { 'x-api-key': key },
      { authorization: `Bearer ${key}` },
      { 'x-api-key': ` ${key} ` },
    ])
      expect((await listLeads(headers)).status).toBe(200)
    expect((await listLeads({ 'x-api-key': ' ', ...asha.headers })).status).toBe(200)
    const { key: revoked, apiKey } = await make(asha.token)
    await revoke(asha.token, apiKey.id)
    expect((await listLeads({ ...by(revoked), ...asha.headers })).status).toBe(401)
    expect((await listLeads({ cookie: `__Host-leadline=${key}` })).status).toBe(401)
    expect((await call(leadsRoute, 'GET', `/api/leads?api_key=${key}`)).status).toBe(401)
  })

  it('does what its scopes say, and is nobody’s account', async () => {
    const { key } = await make(asha.token, { scopes: ['calls:write', 'widgets:write', 'leads:write'] })

    expect(await listLeads(by(key))).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    const { key: reading } = await make(asha.token)
    expect((await call(meRoute, 'GET', '/api/auth/me', { headers: by(reading) })).status).toBe(403)
    expect((await call(keysRoute, 'GET', '/api/api-keys', { headers: by(reading) })).status).toBe(403)
  })

  it('ends at its time', async () => {
    const expiresAt = new Date(Date.now() + MINUTE_MS).toISOString()
    const { key } = await make(asha.token, { expiresAt })
    expect(await statusOf(key)).toBe(200)

    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(expiresAt) })
    expect(await statusOf(key)).toBe(401)
    vi.useRealTimers()
  })

  it('rests while its owner is suspended, and works again with it', async () => {
    const { key } = await make(asha.token)
    const id = asha.user._id.toHexString()

    await administerUser(id, { status: 'suspended' }, new Date())
    expect(await statusOf(key)).toBe(401)
    await administerUser(id, { status: 'active' }, new Date())
    expect(await statusOf(key)).toBe(200)
  })

  it('of the deployment rests while the admin who made it is none, and stays where nobody did', async () => {
    const admin = await createTestUser({ role: 'admin' })
    const id = admin.user._id.toHexString()
    const { key } = await make(admin.token)
    const { key: bootstrapped } = await make(adminToken())
    expect((await stored()).map(({ makerId }) => makerId?.toHexString())).toEqual([id, undefined])

    for (const [change, status] of [
      [{ role: 'user' }, 401],
      [{ role: 'admin' }, 200],
      [{ status: 'suspended' }, 401],
      [{ status: 'active' }, 200],
    ] as const) {
      await administerUser(id, change, new Date())
      expect([await statusOf(key), await statusOf(bootstrapped)], JSON.stringify(change)).toEqual([
        status,
        200,
      ])
    }
    await testDatabase().db.collection('users').deleteOne({ _id: admin.user._id })
    expect(await statusOf(key)).toBe(401)
  })

  it('outlives no owner', async () => {
    const { key } = await make(asha.token)
    await testDatabase().db.collection('users').deleteOne({ _id: asha.user._id })

    expect(await statusOf(key)).toBe(401)
  })

  it('remembers when it was last used, and writes that every few minutes', async () => {
    const { key } = await make(asha.token)
    const lastUse = async () => (await stored())[0]?.lastUsedAt?.getTime()
    const first = Date.now() + MINUTE_MS
    vi.useFakeTimers({ toFake: ['Date'], now: first })
    await statusOf(key)
    expect(await lastUse()).toBe(first)

    vi.setSystemTime(first + 5 * MINUTE_MS)
    await statusOf(key)
    expect(await lastUse()).toBe(first)
    vi.setSystemTime(first + 5 * MINUTE_MS + 1)
    await statusOf(key)
    expect(await lastUse()).toBe(first + 5 * MINUTE_MS + 1)
    vi.useRealTimers()
  })
})

describe('revoking', () => {
  it('ends a key at once and for good', async () => {
    const { key, apiKey } = await make(asha.token)
    expect(await statusOf(key)).toBe(200)

    const { status, body } = await revoke(asha.token, apiKey.id)
    expect(status).toBe(200)
    expect(body).toMatchObject({ success: true, data: { id: apiKey.id, revokedAt: expect.any(String) } })
    expect(await statusOf(key)).toBe(401)
    expect((await revoke(asha.token, apiKey.id)).body).toEqual(body)
    expect((await list(asha.token)).body.data.items).toMatchObject([
      { id: apiKey.id, revokedAt: expect.any(String) },
    ])
  })

  it('is the owner’s and the admins’: to others a key is not there', async () => {
    const { key, apiKey } = await make(asha.token)
    const foreign = await revoke(ravi.token, apiKey.id)
    const missing = await revoke(ravi.token, new ObjectId().toHexString())

    const { requestId: _own, ...said } = foreign.body as Record<string, unknown>
    expect(foreign.status).toBe(404)
    expect(missing.body).toMatchObject(said)
    expect((await revoke(ravi.token, 'x')).status).toBe(404)
    expect((await list(ravi.token)).body.data.items).toEqual([])
    expect(await statusOf(key)).toBe(200)

    expect((await list(adminToken())).body.data.items).toMatchObject([{ id: apiKey.id }])
    expect((await revoke(adminToken(), apiKey.id)).status).toBe(200)
    expect(await statusOf(key)).toBe(401)
  })
})

describe('the list of keys', () => {
  it('is a page at a time, newest first, of the owner’s alone and of everybody’s for an admin', async () => {
    const made: string[] = []
    for (let i = 0; i < 7; i++) made.unshift((await make(asha.token)).apiKey.id)
    await make(ravi.token)

    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { data }: Awaited<ReturnType<typeof list>>['body'] = (
        await list(asha.token, `?limit=3${cursor && `&cursor=${cursor}`}`)
      ).body
      seen.push(...data.items.map(({ id }) => id))
      expect(data.items.length).toBe(data.nextCursor === null ? 1 : 3)
      cursor = data.nextCursor
    }

    expect(seen).toEqual(made)
    expect((await list(adminToken())).body.data.items).toHaveLength(8)
    for (const bad of ['?limit=0', '?limit=201', '?cursor=x'])
      expect((await list(asha.token, bad)).status).toBe(400)
  })

  it('ends a page before it is too large to send, whatever the keys of others are limited to', async () => {
    const { apiKey } = await make(asha.token)
    const [key] = await stored()
    if (!key) throw new Error('nothing was stored')
    const microsites = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(200, '湖'))
    const keys = Array.from({ length: 199 }, (_, i) => ({
      ...key,
      _id: new ObjectId(),
      hash: `${i}`,
      microsites,
    }))
    await (await apiKeys.open()).insertMany(keys)
    const seen = new Set<string>()
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await list(adminToken(), `?limit=200${cursor && `&cursor=${cursor}`}`)
      expect(Buffer.byteLength(page.text)).toBeLessThan(4_000_000)
      for (const { id } of page.body.data.items) seen.add(id)
      cursor = page.body.data.nextCursor
    }
    expect(seen).toEqual(new Set([apiKey.id, ...keys.map(({ _id }) => _id.toHexString())]))
  })
})

describe('the leads that a key sees', () => {
  beforeEach(async () => {
    const lead = (name: string, owner: TestUser | undefined, microsite: string): Lead =>
      storedLead({ name, microsite, ownerId: owner?.user._id })
    await (await leads.open()).insertMany([
      lead('asha lake', asha, 'lake.view'),
      lead('asha hill', asha, 'hill'),
      lead('ravi lake', ravi, 'lake.view'),
      lead('nobody lake', undefined, 'lake.view'),
    ])
  })

  const idOf = ({ user }: TestUser) => user._id.toHexString()

  const seen = async (key: string, query = '') => {
    const { body } = await listLeads(by(key), query)
    expect(body.total).toBe(body.items.length)
    return body.items.map(({ name }) => name).sort()
  }

  it('are its owner’s', async () => {
    expect(await seen((await make(asha.token)).key)).toEqual(['asha hill', 'asha lake'])
    expect(await seen((await make(ravi.token)).key)).toEqual(['ravi lake'])
    expect(await seen((await make(asha.token, { userIds: [idOf(asha)] })).key)).toEqual([
      'asha hill',
      'asha lake',
    ])
  })

  it('are those of its microsites, of its owner’s', async () => {
    const { key } = await make(asha.token, { microsites: ['lake.view', 'elsewhere'] })

    expect(await seen(key)).toEqual(['asha lake'])
    expect(await seen(key, '?microsite=hill')).toEqual([])
    expect(await seen(key, '?microsite=lake.view')).toEqual(['asha lake'])
  })

  it('are all, of a key of the deployment', async () => {
    const { key } = await make(adminToken())

    expect(await seen(key)).toEqual(['asha hill', 'asha lake', 'nobody lake', 'ravi lake'])
  })

  it('are those of its users and microsites, of a key of the deployment that has such limits', async () => {
    const ofRavi = await make(adminToken(), { userIds: [idOf(ravi)] })
    const ofBoth = await make(adminToken(), { userIds: [idOf(ravi), idOf(asha)] })
    const ofHill = await make(adminToken(), { microsites: ['hill'] })
    const ofRaviOnHill = await make(adminToken(), { userIds: [idOf(ravi)], microsites: ['hill'] })

    expect(await seen(ofRavi.key)).toEqual(['ravi lake'])
    expect(await seen(ofBoth.key)).toEqual(['asha hill', 'asha lake', 'ravi lake'])
    expect(await seen(ofHill.key)).toEqual(['asha hill'])
    expect(await seen(ofRaviOnHill.key)).toEqual([])
  })

  it('are a user’s own without a key, too', async () => {
    const { body } = await listLeads(ravi.headers)

    expect(body.items.map(({ name }) => name)).toEqual(['ravi lake'])
    expect(await apiKeys.open().then(keys => keys.countDocuments())).toBe(0)
  })
})
