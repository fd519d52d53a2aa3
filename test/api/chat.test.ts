import { beforeEach, describe, expect, it, vi } from 'vitest'
import chatRoute from '../../api/chat.js'
import { rateCounters } from '../../lib/domain/rate-counters.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { AppError } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { type CallOptions, call } from '../support/request.js'

const ask = (body: unknown, options: CallOptions = {}) =>
  call<Record<string, unknown>>(chatRoute, 'POST', '/api/chat', { body, ...options })

const question = { message: 'What is the price?', projectId: 'nivasa-enchante', microsite: 'nivasa-enchante' }
const propertyInfo = { pricing: { '3.5 BHK': '₹9 Cr' }, availableBhk: ['3.5 BHK'] }

const store = async (overrides: Parameters<typeof storedWidgetConfig>[0]) => {
  await (await widgetConfigs.open()).insertOne(storedWidgetConfig(overrides))
}

const storePrices = (overrides: Parameters<typeof storedWidgetConfig>[0] = {}) =>
  store({
    propertyInfo: {
      availableBhk: ['2 BHK', '3.5 BHK'],
      pricing: [
        { configuration: '2 BHK', price: '₹85 L' },
        { configuration: '3.5 BHK', price: '₹1.3 Cr' },
      ],
    },
    ...overrides,
  })

beforeEach(emptyDatabase)

describe('without a model', () => {
  it('a visitor is answered by rule from what the project says', async () => {
    await storePrices()
    const { status, body } = await ask({ ...question, selectedBhk: '3.5 BHK' })
    expect(status).toBe(200)
    expect(body).toEqual({ response: 'Price: 3.5 BHK (₹1.3 Cr).', aiUsed: false, fallback: true })
  })

  it('whoever wants a person gets the form, with the words of the project', async () => {
    await storePrices({ phonePrompt: 'Apna number dijiye' })
    const { body } = await ask({ ...question, message: 'Please call me' })
    expect(body).toEqual({
      response: 'Apna number dijiye',
      aiUsed: false,
      fallback: true,
      action: 'request_lead_details',
    })
  })

  it('the stored facts count, and those of the request only where there are none', async () => {
    await storePrices()
    expect((await ask({ ...question, propertyInfo })).body.response).toBe(
      'Prices: 2 BHK (₹85 L), 3.5 BHK (₹1.3 Cr).',
    )
    await store({ projectId: 'bare', agentName: 'Riya' })
    for (const projectId of ['bare', 'nobody'])
      expect((await ask({ ...question, projectId, propertyInfo })).body.response).toBe(
        'Prices: 3.5 BHK (₹9 Cr).',
      )
  })

  it('what an old widget suggested is no fact', async () => {
    await store({ suggestion: { propertyInfo: { location: 'Goa' }, suggestedAt: new Date() } })
    expect((await ask({ ...question, message: 'Where is it?' })).body.response).toContain('do not have')
  })

  it('the project is found by the microsite or the page, as with a lead', async () => {
    await storePrices({ projectId: 'nivasa.example' })
    const { message } = question
    expect((await ask({ message, microsite: 'nivasa.example' })).body.response).toContain('₹85 L')
    expect((await ask({ message }, { origin: 'https://www.nivasa.example' })).body.response).toContain(
      '₹85 L',
    )
  })

  it('a question as text, as a beacon sends it, is one', async () => {
    const { status } = await ask(JSON.stringify(question), { headers: { 'content-type': 'text/plain' } })
    expect(status).toBe(200)
  })
})

describe('only what cannot be used is refused', () => {
  it.each<[string, unknown]>([
    ['no body', undefined],
    ['no message', { projectId: 'nivasa-enchante' }],
    ['an empty message', { ...question, message: ' \n ' }],
    ['no object', ['What is the price?']],
  ])('like %s', async (_, body) => {
    const { status, body: answer } = await ask(body)
    expect(status).toBe(400)
    expect(answer).toMatchObject({ success: false, code: 'invalid_request' })
  })

  it('like more than the widget ever sends', async () => {
    expect((await ask({ ...question, propertyInfo: { notes: 'x'.repeat(70_000) } })).status).toBe(413)
  })

  it.each<[string, object]>([
    [
      'other types',
      { conversation: 7, selectedCta: {}, selectedBhk: [], propertyInfo: [1], microsite: null },
    ],
    ['messages that are none', { conversation: [null, 1, { text: 5 }, { type: 'user' }] }],
    ['an operator', { projectId: { $ne: null }, selectedBhk: { $gt: '' } }],
  ])('and not %s', async (_, odd) => {
    const { status, body } = await ask({ ...question, projectId: 'nobody', ...odd })
    expect(status).toBe(200)
    expect(body.response).toMatch(/\S/)
  })
})

it('facts that are nested deeper than a stack are no facts', async () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  const body = `{"message":"Where is it?","projectId":"nobody","propertyInfo":{"location":${deep}}}`
  const { status, body: answer } = await ask(body)
  expect(status).toBe(200)
  expect(answer.response).toContain('do not have')
})

describe('pages', () => {
  it('of other domains are refused, and those of the project are not', async () => {
    await storePrices({ domains: ['nivasa.example'] })
    const refused = await ask(question, { origin: 'https://elsewhere.example' })
    expect(refused.status).toBe(403)
    expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    const { status, headers } = await ask(question, { origin: 'https://www.nivasa.example' })
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('https://www.nivasa.example')
  })

  it('that name no project ask that of their domain', async () => {
    await storePrices({ projectId: 'www.palm-grove.example' })
    const { body } = await ask({ message: question.message }, { origin: 'https://www.palm-grove.example' })
    expect(body.response).toContain('₹85 L')
  })

  it('whose address asks too much are told when to go on', async () => {
    const { headers } = await ask(question)
    expect(headers.get('ratelimit-policy')).toMatch(/^"chat";q=/)
  })
})

describe('while the database is away', () => {
  const takeAway = () => {
    vi.spyOn(widgetConfigs, 'open').mockRejectedValue(new AppError('unavailable'))
    vi.spyOn(rateCounters, 'open').mockRejectedValue(new AppError('unavailable'))
  }

  it('a visitor is answered with what was read last', async () => {
    await storePrices({ projectId: 'away' })
    await ask({ ...question, projectId: 'away' })
    takeAway()
    const { status, body } = await ask({ ...question, projectId: 'away', propertyInfo })
    expect(status).toBe(200)
    expect(body.response).toBe('Prices: 2 BHK (₹85 L), 3.5 BHK (₹1.3 Cr).')
  })

  it('a visitor whose page names no project is answered with what was read last of its host', async () => {
    await storePrices({ projectId: 'host.example' })
    const asked = { message: question.message }
    await ask({ ...asked, projectId: 'host.example' })
    takeAway()
    const { body } = await ask(asked, { origin: 'https://host.example' })
    expect(body.response).toBe('Prices: 2 BHK (₹85 L), 3.5 BHK (₹1.3 Cr).')
  })

  it('a visitor is answered with what the widget has, or offered a person', async () => {
    takeAway()
    const asked = { ...question, projectId: 'never-read' }
    expect((await ask({ ...asked, propertyInfo })).body.response).toBe('Prices: 3.5 BHK (₹9 Cr).')
    const offered = {
      status: 200,
      body: { response: expect.stringContaining('someone from our team'), aiUsed: false, fallback: true },
    }
    expect(await ask(asked)).toMatchObject(offered)
    const { message } = question
    expect(await ask({ message }, { origin: 'https://never-read.example' })).toMatchObject(offered)
  })
})
