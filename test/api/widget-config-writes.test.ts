import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import revisionsRoute from '../../api/widget-config/[projectId]/revisions.js'
import rollbackRoute from '../../api/widget-config/[projectId]/rollback.js'
import configRoute from '../../api/widget-config/[projectId].js'
import {
  type PublicWidgetConfig,
  type WidgetConfig,
  widgetConfigs,
} from '../../lib/domain/widgets/widget-configs.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'

type Config = Wire<PublicWidgetConfig> & { code?: string; details?: ErrorDetail[] }

const PATH = '/api/widget-config/nivasa-enchante'
const token = adminToken()

const get = () => call<Config>(configRoute, 'GET', PATH)
const put = (body: unknown, path = PATH) => call<Config>(configRoute, 'PUT', path, { body, token })
const putIf = (ifMatch: string, body: unknown) =>
  call<Config>(configRoute, 'PUT', PATH, { body, token, headers: { 'if-match': ifMatch } })
const revisions = async () => {
  const path = `${PATH}/revisions`
  const { body } = await call<{ items: { revision: number; config: Config }[] }>(
    revisionsRoute,
    'GET',
    path,
    {
      token,
    },
  )
  return body.items
}
const rollBack = (revision: number) =>
  call<Config>(rollbackRoute, 'POST', `${PATH}/rollback`, { body: { revision }, token })

async function store(overrides: Partial<WidgetConfig> = {}) {
  const config = storedWidgetConfig(overrides)
  await (await widgetConfigs.open()).insertOne(config)
  return config
}
const stored = async () => (await widgetConfigs.open()).findOne({ projectId: 'nivasa-enchante' })

/** A value one level deeper than the one before, so many times. */
const nested = (levels: number): unknown => (levels === 0 ? 1 : { inner: nested(levels - 1) })

beforeEach(emptyDatabase)

describe('a write', () => {
  it('creates a project, and answers with all that a read then gives', async () => {
    const { status, body } = await put({ agentName: 'Riya', domains: ['https://WWW.Nivasa.example/path'] })
    expect(status).toBe(200)
    expect(body).toMatchObject({ agentName: 'Riya', domains: ['nivasa.example'], revision: 1 })
    expect(body.bhkPrompt).not.toBe('')
    expect((await get()).body).toEqual(body)
  })

  it('of some fields leaves the others, by POST as by PUT', async () => {
    await store({ agentName: 'Riya', welcomeMessage: 'Hi' })
    const { body } = await call<Config>(configRoute, 'POST', PATH, { body: { welcomeMessage: '' }, token })
    expect(body).toMatchObject({ agentName: 'Riya', welcomeMessage: '', revision: 2 })
  })

  it('of the whole form as it was read changes what was edited, and no id and no time', async () => {
    const before = await store({ propertyInfo: { pricing: [{ configuration: '3.5 BHK', price: '₹1 Cr' }] } })
    const form = (await get()).body
    const _id = new ObjectId().toHexString()
    const foreign = { _id, id: _id, projectId: 'other', createdAt: '2001-01-01T00:00:00Z', updatedAt: null }
    const { status, body } = await put({ ...form, ...foreign, agentName: 'Riya' })

    expect(status).toBe(200)
    expect(body).toEqual({ ...form, agentName: 'Riya', revision: 2, updatedAt: expect.any(String) })
    expect(body.updatedAt).not.toBe(form.updatedAt)
    expect(await stored()).toMatchObject({
      _id: before._id,
      projectId: 'nivasa-enchante',
      createdAt: before.createdAt,
    })
  })

  it('of the whole form, once more as it was read first, is as good as the first', async () => {
    await store()
    const form = (await get()).body
    for (const agentName of ['Riya', 'Asha']) {
      const { status, body } = await put({ ...form, agentName })
      expect([status, body.agentName]).toEqual([200, agentName])
    }
  })

  it.each(['ae', ' AE '])('keeps the country %j as its code, which a widget reads', async phoneCountry => {
    expect((await put({ phoneCountry })).body.phoneCountry).toBe('AE')
    expect((await stored())?.phoneCountry).toBe('AE')
  })

  it('changes the ETag, so that no widget keeps what was replaced', async () => {
    await store()
    const etag = (await get()).headers.get('etag')
    await put({ agentName: 'Riya' })
    const again = await call<Config>(configRoute, 'GET', PATH, { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(200)
    expect(again.body.agentName).toBe('Riya')
  })

  it('keeps whatever facts there are, prices by any name', async () => {
    const propertyInfo = {
      projectName: 'Nivasa',
      availableBhk: ['3.5 BHK'],
      amenities: ['Pool'],
      pricing: { '3.5 BHK': '₹1.3 Cr', $from: '₹85 L', 'a.b.c': '1', plain: 85 },
      towers: [{ name: 'A', floors: 12 }],
    }
    await put({ propertyInfo })
    const pricing = { ...propertyInfo.pricing, plain: '85' }
    expect((await get()).body.propertyInfo).toEqual({ ...propertyInfo, pricing })
  })

  it('reaches no prototype', async () => {
    const { body } = await put(
      '{"propertyInfo":{"__proto__":{"amenities":["x"]},"pricing":{"__proto__":"1"}}}',
    )
    expect(body.propertyInfo).toMatchObject({ amenities: [], availableBhk: [] })
    expect(Object.keys(body.propertyInfo)).not.toContain('__proto__')
    const inner = await put('{"propertyInfo":{"tower":{"__proto__":{"admin":true}}}}')
    expect(inner.body.details?.map(detail => detail.path)).toEqual(['propertyInfo.tower.__proto__'])
  })

  it('takes what is allowed only just', async () => {
    const allowed = {
      agentName: 'x'.repeat(100),
      avatarUrl: '',
      primaryColor: '#FfF',
      welcomeMessage: 'x'.repeat(1_000),
      bubblePosition: 'bottom-left',
      autoOpenDelayMs: 600_000,
      phoneCountry: 'AE',
      propertyInfo: { deep: nested(7) },
    }
    expect((await put(allowed)).body).toMatchObject(allowed)
  })
})

describe('a write is refused by name, and nothing is written', () => {
  it.each([
    ['agentName', { agentName: ' ' }],
    ['agentName', { agentName: 'x'.repeat(101) }],
    ['agentName', { agentName: null }],
    ['avatarUrl', { avatarUrl: 'javascript:alert(1)' }],
    ['avatarUrl', { avatarUrl: 'data:text/html,x' }],
    ['avatarUrl', { avatarUrl: '/relative.png' }],
    ['avatarUrl', { avatarUrl: 'https://' }],
    ['avatarUrl', { avatarUrl: `https://a.example/${'x'.repeat(2_000)}` }],
    ['primaryColor', { primaryColor: 'red' }],
    ['primaryColor', { primaryColor: '#12' }],
    ['primaryColor', { primaryColor: '#12345g' }],
    ['primaryColor', { primaryColor: '#2563eb;background:url(x)' }],
    ['welcomeMessage', { welcomeMessage: 'x'.repeat(1_001) }],
    ['bubblePosition', { bubblePosition: 'top-left' }],
    ['autoOpenDelayMs', { autoOpenDelayMs: -1 }],
    ['autoOpenDelayMs', { autoOpenDelayMs: 0.5 }],
    ['autoOpenDelayMs', { autoOpenDelayMs: 600_001 }],
    ['autoOpenDelayMs', { autoOpenDelayMs: '4000' }],
    ['phoneCountry', { phoneCountry: 'XX' }],
    ['domains.0', { domains: ['not a domain'] }],
    ['domains.0', { domains: ['*.nivasa.example'] }],
    ['domains.1', { domains: ['a.example', 'nodots'] }],
    ['domains', { domains: Array.from({ length: 51 }, (_, i) => `d${i}.example`) }],
    ['propertyInfo', { propertyInfo: 'text' }],
    ['propertyInfo.amenities.0', { propertyInfo: { amenities: [{ $gt: '' }] } }],
    ['propertyInfo.pricing.a', { propertyInfo: { pricing: { a: { $gt: 1 } } } }],
    ['propertyInfo.$where', { propertyInfo: { $where: '1' } }],
    ['propertyInfo.a.b', { propertyInfo: { 'a.b': 1 } }],
    ['propertyInfo.towers.0.$set', { propertyInfo: { towers: [{ $set: 1 }] } }],
    ['propertyInfo.constructor', { propertyInfo: { constructor: 1 } }],
    ['propertyInfo', { propertyInfo: { deep: nested(8) } }],
    ['propertyInfo', { propertyInfo: { long: 'x'.repeat(16_001) } }],
    ['propertyInfo', { propertyInfo: { many: Array(301).fill(0) } }],
    ['ownerId', { ownerId: { $ne: null } }],
    ['ownerId', { ownerId: 'somebody' }],
  ])('%s: %j', async (path, change) => {
    const before = await store()
    const { status, body } = await put({ welcomeMessage: 'changed', ...change })
    expect(status).toBe(400)
    expect(body.details?.map(detail => detail.path)).toEqual([path])
    expect(await stored()).toEqual(before)
  })
})

describe('a write with If-Match', () => {
  it('is a conflict where another came first, and goes through from the current one', async () => {
    await store({ revision: 7 })
    const stale = await putIf('"6"', { agentName: 'Riya' })
    expect(stale).toMatchObject({ status: 409, body: { code: 'conflict' } })
    expect((await stored())?.agentName).toBeUndefined()
    expect((await putIf('"5", "7"', { agentName: 'Riya' })).body).toMatchObject({ revision: 8 })
  })

  it('creates from revision 0 only', async () => {
    for (const ifMatch of ['"3"', '*']) expect((await putIf(ifMatch, { agentName: 'Riya' })).status).toBe(409)
    expect((await putIf('"0"', { agentName: 'Riya' })).body.revision).toBe(1)
    expect((await putIf('"0"', { agentName: 'Asha' })).status).toBe(409)
    expect((await putIf('*', { agentName: 'Asha' })).body.revision).toBe(2)
  })

  it.each(['1', 'W/"1"', '"x7Gh"', '"1",'])('takes revisions only: %s', async ifMatch => {
    const before = await store()
    const { status, body } = await putIf(ifMatch, { agentName: 'Riya' })
    expect(status).toBe(400)
    expect(body.details?.map(({ path }) => path)).toEqual(['headers.if-match'])
    expect(await stored()).toEqual(before)
  })

  it('is won by one of many at once', async () => {
    await store()
    const names = Array.from({ length: 8 }, (_, i) => `Agent ${i}`)
    const answers = await Promise.all(names.map(agentName => putIf('"1"', { agentName })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
    expect((await stored())?.revision).toBe(2)
  })
})

describe('writes of different fields at once', () => {
  it('all survive, round after round, and each is a revision', async () => {
    await store()
    for (let round = 1; round <= 12; round++) {
      const changes = [
        { agentName: `Agent ${round}` },
        { welcomeMessage: `Welcome ${round}` },
        { propertyInfo: { round } },
        { autoOpenDelayMs: round },
      ]
      const answers = await Promise.all(changes.map(change => put(change)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(await stored()).toMatchObject({ ...Object.assign({}, ...changes), revision: 1 + round * 4 })
    }
  })

  it('also where they create the project', async () => {
    const answers = await Promise.all([put({ agentName: 'Riya' }), put({ welcomeMessage: 'Hi' })])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(await stored()).toMatchObject({ agentName: 'Riya', welcomeMessage: 'Hi', revision: 2 })
  })
})

describe('revisions', () => {
  it('are the last 20 versions, newest first, each as it was', async () => {
    await store({ agentName: 'Agent 1' })
    for (let revision = 2; revision <= 23; revision++) await put({ agentName: `Agent ${revision}` })

    const kept = await revisions()
    expect(kept.map(({ revision }) => revision)).toEqual(Array.from({ length: 20 }, (_, i) => 22 - i))
    for (const { revision, config } of kept)
      expect(config).toMatchObject({ agentName: `Agent ${revision}`, revision })
  })

  it('come back whole: what was added since goes, and what was removed returns', async () => {
    const before = {
      agentName: 'Riya',
      domains: ['nivasa.example'],
      propertyInfo: { pricing: [{ configuration: '3.5 BHK', price: '₹1 Cr' }] },
    }
    await store(before)
    await put({ agentName: 'Asha', welcomeMessage: 'Hi', domains: [], propertyInfo: { projectName: 'N' } })
    const { status, body } = await rollBack(1)

    expect(status).toBe(200)
    expect(body).toMatchObject({ agentName: 'Riya', domains: ['nivasa.example'], revision: 3 })
    expect(body.propertyInfo).toMatchObject({ pricing: { '3.5 BHK': '₹1 Cr' } })
    expect(body.propertyInfo).not.toHaveProperty('projectName')
    expect(await stored()).not.toHaveProperty('welcomeMessage')
    expect((await rollBack(2)).body).toMatchObject({ agentName: 'Asha', domains: [], revision: 4 })
  })

  it.each([9, 2])('are not to be rolled back to where they are not kept: %i', async revision => {
    await store()
    await put({ agentName: 'Riya' })
    expect((await rollBack(revision)).status).toBe(404)
  })

  it('begin with the first write to a document of the old store, which has none', async () => {
    const { revision: _revision, domains: _domains, ...old } = storedWidgetConfig({ agentName: 'Riya' })
    await (await widgetConfigs.open()).insertOne(old as WidgetConfig)
    const form = (await get()).body
    expect(form.revision).toBe(0)

    expect((await put({ ...form, agentName: 'Asha', domains: ['nivasa.example'] })).body.revision).toBe(1)
    expect((await putIf('"0"', { ...form, agentName: 'Late' })).status).toBe(409)
    expect((await rollBack(0)).body).toMatchObject({ agentName: 'Riya', domains: [], revision: 2 })
  })
})

describe('a domain', () => {
  it('belongs to one project: another one that lists it gets a 409 naming domains', async () => {
    await put({ domains: ['nivasa.example'] })
    for (const path of ['/api/widget-config/other', '/api/widget-config/other']) {
      const taken = await put({ domains: ['www.NIVASA.example'] }, path)
      expect(taken).toMatchObject({ status: 409, body: { code: 'conflict' } })
      expect(taken.body.details?.map(detail => detail.path)).toEqual(['domains'])
      await put({ agentName: 'Other' }, path)
    }
    expect((await put({ domains: ['nivasa.example', 'nivasa2.example'] })).status).toBe(200)
    await put({ domains: [] })
    expect((await put({ domains: ['nivasa.example'] }, '/api/widget-config/other')).status).toBe(200)
  })

  it('goes to one of many that list it at once', async () => {
    const paths = Array.from({ length: 8 }, (_, i) => `/api/widget-config/project-${i}`)
    const answers = await Promise.all(paths.map(path => put({ domains: ['nivasa.example'] }, path)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
  })

  it('given up is not got back by a rollback once another project has it', async () => {
    await put({ domains: ['nivasa.example'] })
    await put({ domains: [] })
    await put({ domains: ['nivasa.example'] }, '/api/widget-config/other')
    expect((await rollBack(1)).status).toBe(409)
    expect(await stored()).toMatchObject({ domains: [], revision: 2 })
  })
})
