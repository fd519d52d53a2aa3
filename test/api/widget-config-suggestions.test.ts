import { beforeEach, describe, expect, it } from 'vitest'
import revisionsRoute from '../../api/widget-config/[projectId]/revisions.js'
import configRoute from '../../api/widget-config/[projectId].js'
import { type PublicWidgetConfig, widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { adminToken, type CallOptions, call } from '../support/request.js'

interface History {
  current: PublicWidgetConfig
  suggestion: { propertyInfo: Record<string, unknown>; suggestedAt: string } | null
  items: unknown[]
}

const PATH = '/api/widget-config/nivasa-enchante'
const SUGGESTED = { projectName: 'From the page', availableBhk: ['2 BHK'], pricing: { '3.5 BHK': '₹1 Cr' } }

const post = (body: unknown, options: CallOptions = {}, path = PATH) =>
  call<PublicWidgetConfig>(configRoute, 'POST', path, { body, ...options })
const get = () => call<PublicWidgetConfig>(configRoute, 'GET', PATH)
const history = async () => {
  const { body } = await call<History>(revisionsRoute, 'GET', `${PATH}/revisions`, { token: adminToken() })
  return body
}

beforeEach(async () => {
  await emptyDatabase()
  const propertyInfo = { projectName: 'As the owner wrote it' }
  await (await widgetConfigs.open()).insertOne(
    storedWidgetConfig({ propertyInfo, domains: ['nivasa.example'] }),
  )
})

describe('facts that an old widget sends without a key', () => {
  it.each([
    ['by nobody', {}],
    ['with a widget key of the old system', { token: 'wk_live_3f9a' }],
    ['with a token that has ended', { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl' }],
    ['with something that is no scheme of ours', { headers: { authorization: 'Basic d2lkZ2V0OmtleQ==' } }],
  ])('are answered with what is stored, and kept for the owner: %s', async (_, options) => {
    const before = await get()
    const { status, body } = await post({ propertyInfo: SUGGESTED }, options)
    expect(status).toBe(200)
    expect(body).toEqual(before.body)

    expect((await get()).headers.get('etag')).toBe(before.headers.get('etag'))
    const { suggestion, items } = await history()
    expect(suggestion?.propertyInfo).toEqual({ ...SUGGESTED, amenities: [] })
    expect(items).toEqual([])
  })

  it('replace those suggested before, and are gone once the owner writes facts', async () => {
    await post({ propertyInfo: { projectName: 'First' } })
    await post({ propertyInfo: SUGGESTED })
    const kept = (await history()).suggestion?.propertyInfo
    expect(kept).toMatchObject(SUGGESTED)

    await post({ agentName: 'Riya' }, { token: adminToken() })
    expect((await history()).suggestion).not.toBeNull()
    const accepted = await post({ propertyInfo: kept }, { token: adminToken() })
    expect(accepted.body.propertyInfo).toMatchObject(SUGGESTED)
    expect((await history()).suggestion).toBeNull()
  })

  it('of a project that is not stored are answered with its defaults, and leave nothing', async () => {
    const { status, body } = await post({ propertyInfo: SUGGESTED }, {}, '/api/widget-config/unknown')
    expect(status).toBe(200)
    expect(body).toMatchObject({ projectId: 'unknown', propertyInfo: { availableBhk: [] }, revision: 0 })
    expect(await (await widgetConfigs.open()).countDocuments()).toBe(1)
  })

  it('are refused from a page that the project does not list, and leave the pending ones', async () => {
    const own = { origin: 'https://www.nivasa.example' }
    expect((await post({ propertyInfo: SUGGESTED }, own)).status).toBe(200)
    for (const headers of [{}, { authorization: 'Bearer wk_live_3f9a' }]) {
      const foreign = { origin: 'https://evil.example', headers }
      const {
        status,
        body,
        headers: answered,
      } = await post({ propertyInfo: { projectName: 'Evil' } }, foreign)
      expect(status).toBe(403)
      expect(body).not.toHaveProperty('propertyInfo')
      expect(answered.get('access-control-allow-origin')).toBeNull()
    }
    expect((await history()).suggestion?.propertyInfo).toMatchObject(SUGGESTED)
  })

  it('are taken as sloppy as pages are, by the owner too', async () => {
    const propertyInfo = {
      amenities: null,
      availableBhk: [2, '3 BHK', null],
      pricing: { '2 BHK': null, '3 BHK': 85 },
    }
    const read = { amenities: [], availableBhk: ['2', '3 BHK'], pricing: { '3 BHK': '85' } }
    expect((await post({ propertyInfo })).status).toBe(200)
    expect((await history()).suggestion?.propertyInfo).toEqual(read)
    expect((await post({ propertyInfo }, { token: adminToken() })).body.propertyInfo).toEqual(read)
  })

  it('are read no worse for the ids that come along', async () => {
    const { status } = await post({
      propertyInfo: SUGGESTED,
      projectId: 'x',
      _id: 'y',
      updatedAt: 'z',
      revision: 1,
    })
    expect(status).toBe(200)
  })
})

describe('facts that the owner writes', () => {
  it('are taken from any page that has a key: a dashboard is on no domain of the project', async () => {
    const options = { origin: 'https://dashboard.example', token: adminToken() }
    const { status, body } = await post({ propertyInfo: SUGGESTED }, options)
    expect(status).toBe(200)
    expect(body.propertyInfo).toMatchObject(SUGGESTED)
  })
})

describe('any other write without credentials', () => {
  it.each([
    ['of another field', { agentName: 'X' }],
    ['of facts and another field', { propertyInfo: SUGGESTED, domains: [] }],
    ['of an owner', { propertyInfo: SUGGESTED, ownerId: null }],
    ['of nothing', {}],
    ['of what nobody knows', { admin: true }],
  ])('is a 401: %s', async (_, body) => {
    const before = await (await widgetConfigs.open()).findOne({})
    for (const options of [{}, { token: 'wk_live_3f9a' }])
      expect((await post(body, options)).status).toBe(401)
    expect(await (await widgetConfigs.open()).findOne({})).toEqual(before)
  })

  it('tells a page that the project does not list the same: an old dashboard, whose token has ended', async () => {
    const origin = 'https://dashboard.example'
    const { status, headers } = await post(
      { agentName: 'X' },
      { origin, token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln' },
    )
    expect(status).toBe(401)
    expect(headers.get('access-control-allow-origin')).toBe(origin)
  })

  it('of facts that cannot be stored is a 400', async () => {
    expect((await post({ propertyInfo: { $where: 1 } })).status).toBe(400)
    expect((await history()).suggestion).toBeNull()
  })
})
