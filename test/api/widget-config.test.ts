import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import configRoute from '../../api/widget-config/[projectId].js'
import {
  type PublicWidgetConfig,
  type WidgetConfig,
  widgetConfigs,
} from '../../lib/domain/widgets/widget-configs.js'
import { AppError } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import type { Wire } from '../support/fixtures/wire.js'
import { type CallOptions, call } from '../support/request.js'

const get = (projectId: string, options: CallOptions = {}) =>
  call<Wire<PublicWidgetConfig>>(configRoute, 'GET', `/api/widget-config/${projectId}`, options)

async function store(overrides: Partial<WidgetConfig>) {
  const config = storedWidgetConfig(overrides)
  await (await widgetConfigs.open()).insertOne(config)
  return config
}

const TEXTS = `agentName avatarUrl primaryColor bubblePosition welcomeMessage followupMessage
  bhkPrompt inventoryMessage phonePrompt thankYouMessage`.split(/\s+/)

beforeEach(emptyDatabase)

describe('a project that nobody stored', () => {
  it('gets defaults for everything that a widget reads', async () => {
    const { status, body } = await get('Nobody.Stored.This')

    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: 'Nobody.Stored.This',
      _id: 'Nobody.Stored.This',
      projectId: 'Nobody.Stored.This',
      autoOpenDelayMs: 4000,
      domains: [],
      propertyInfo: { availableBhk: [], amenities: [] },
    })
    for (const field of TEXTS) expect(body).toHaveProperty(field, expect.any(String))
    for (const time of [body.createdAt, body.updatedAt]) expect(Date.parse(time)).not.toBeNaN()
    expect(await (await widgetConfigs.open()).countDocuments()).toBe(0)
  })

  it('is read from the path, whatever the query or its encoding says', async () => {
    const { body } = await get('Sky%20line%2F1?projectId=other&t=1795327006183')
    expect(body.projectId).toBe('Sky line/1')
  })

  it.each(['%20', 'x'.repeat(201)])('is refused by name where %j can be no project', async projectId => {
    const { status, text } = await get(projectId)
    expect(status).toBe(400)
    expect(text).toContain('params.projectId')
  })
})

describe('a stored configuration', () => {
  it('is laid over the defaults, and what is ours stays ours', async () => {
    const config = await store({
      agentName: 'Riya',
      autoOpenDelayMs: 0,
      avatarUrl: '',
      domains: ['nivasa.example'],
      ownerId: new ObjectId(),
      phoneCountry: 'AE',
    })
    const defaults = (await get('nobody')).body
    const { body } = await get('nivasa-enchante')

    const id = config._id.toHexString()
    const times = { createdAt: '2025-09-01T00:00:00.000Z', updatedAt: '2025-09-01T00:00:00.000Z' }
    const own = { agentName: 'Riya', autoOpenDelayMs: 0, avatarUrl: '', domains: ['nivasa.example'] }
    const known = { projectId: 'nivasa-enchante', phoneCountry: 'AE', revision: 1 }
    expect(body).toEqual({ ...defaults, ...own, ...times, ...known, id, _id: id })
  })

  it('has its prices by configuration, those with a dot too, and every other fact as it is', async () => {
    await store({
      propertyInfo: {
        projectName: 'Nivasa Enchante',
        availableBhk: ['2 BHK', '3.5 BHK'],
        pricing: [
          { configuration: '2 BHK', price: '₹85 L' },
          { configuration: '3.5 BHK', price: '₹1.3 Cr' },
        ],
      },
    })
    expect((await get('nivasa-enchante')).body.propertyInfo).toEqual({
      projectName: 'Nivasa Enchante',
      availableBhk: ['2 BHK', '3.5 BHK'],
      amenities: [],
      pricing: { '2 BHK': '₹85 L', '3.5 BHK': '₹1.3 Cr' },
    })
  })

  it('of the old store is given too, with its prices by their names and whatever it lacks', async () => {
    const old = { projectId: 'old', agentName: null, propertyInfo: { pricing: { '2 BHK': '₹85 L' } } }
    await (await widgetConfigs.open()).insertOne(old as unknown as WidgetConfig)
    const { status, body } = await get('old')
    expect(status).toBe(200)
    expect(body.propertyInfo).toEqual({ availableBhk: [], amenities: [], pricing: { '2 BHK': '₹85 L' } })
    expect(body).toMatchObject({ agentName: expect.any(String), domains: [], revision: 0 })
  })

  it('is of one spelling of its id only', async () => {
    await store({ projectId: 'Lake.View', agentName: 'Riya' })
    expect((await get('Lake.View')).body.agentName).toBe('Riya')
    expect((await get('lake.view')).body.agentName).not.toBe('Riya')
  })

  it('is refused to pages of other domains, and given to its own', async () => {
    await store({ domains: ['nivasa.example'] })
    const refused = await get('nivasa-enchante', { origin: 'https://elsewhere.example' })
    expect(refused.status).toBe(403)
    expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    expect((await get('nivasa-enchante', { origin: 'https://www.nivasa.example' })).status).toBe(200)
  })
})

describe('caching', () => {
  it.each(['nivasa-enchante', 'nobody'])(
    'saves the second transfer of %s, cache busters or not',
    async project => {
      await store({ agentName: 'Riya' })
      const first = await get(`${project}?t=1795327006183&_=1795327006183`)
      const etag = first.headers.get('etag') ?? ''
      expect(etag).toMatch(/^"[\w-]+"$/)
      expect(first.headers.get('cache-control')).toContain('s-maxage=')

      for (const tag of [etag, `W/${etag}`]) {
        const again = await get(`${project}?t=1795327009999`, { headers: { 'if-none-match': tag } })
        expect(again.status).toBe(304)
        expect(again.text).toBe('')
        expect(again.headers.get('etag')).toBe(etag)
      }
    },
  )

  it('ends when the configuration changes', async () => {
    await store({ agentName: 'Riya' })
    const etag = (await get('nivasa-enchante')).headers.get('etag')
    await (await widgetConfigs.open()).updateOne({}, { $set: { agentName: 'Asha R.' } })

    const changed = await get('nivasa-enchante', { headers: { 'if-none-match': etag } })
    expect(changed.status).toBe(200)
    expect(changed.body.agentName).toBe('Asha R.')
  })

  it('tells shared caches that the answer differs by origin', async () => {
    const { headers } = await get('nobody', { origin: 'https://a.example' })
    expect(headers.get('vary')).toContain('Origin')
    expect(headers.get('access-control-allow-origin')).toBe('https://a.example')
  })
})

describe('while the database is away', () => {
  const takeAway = () => vi.spyOn(widgetConfigs, 'open').mockRejectedValue(new AppError('unavailable'))

  it('a widget gets what was read last, its domains still respected, and nobody keeps the answer', async () => {
    await store({ projectId: 'away', agentName: 'Riya', domains: ['nivasa.example'] })
    const before = await get('away')
    takeAway()

    const during = await get('away')
    expect(during.status).toBe(200)
    expect(during.body).toEqual(before.body)
    expect(during.headers.get('cache-control')).toBe('no-store')
    expect((await get('away', { origin: 'https://elsewhere.example' })).status).toBe(403)
  })

  it('a widget gets the defaults of a project that was never read', async () => {
    takeAway()
    const { status, body, headers } = await get('never-read')
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: 'never-read', agentName: expect.any(String) })
    expect(headers.get('cache-control')).toBe('no-store')
  })
})
