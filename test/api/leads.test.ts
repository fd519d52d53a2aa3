import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import type { CapturedLead } from '../../lib/domain/leads/lead-capture.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import type { Wire } from '../support/fixtures/wire.js'
import { type CallOptions, call } from '../support/request.js'

interface LeadAnswer {
  message: string
  lead: Wire<CapturedLead>
  code?: string
  details?: ErrorDetail[]
}

const post = (body: unknown, options: CallOptions = {}) =>
  call<LeadAnswer>(leadsRoute, 'POST', '/api/leads', { body, ...options })

async function onlyLead() {
  const stored = await (await leads.open()).find().toArray()
  expect(stored).toHaveLength(1)
  return stored[0]
}

const countOf = async (find: Promise<{ countDocuments(): Promise<number> }>) => (await find).countDocuments()

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('a lead as the widget sends it', () => {
  it('is stored and answered in the shape that widgets and dashboards read', async () => {
    const submission = leadSubmission()
    const { status, body } = await post(submission, { origin: 'https://nivasa-enchante.example' })

    expect(status).toBe(201)
    expect(body).toEqual({
      message: 'Lead created',
      lead: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        _id: body.lead.id,
        phone: '+919876501234',
        name: 'Test Visitor',
        bhkType: '1 BHK',
        bhk: 1,
        microsite: 'nivasa-enchante',
        projectId: 'nivasa-enchante',
        leadSource: 'ChatWidget',
        status: 'new',
        metadata: submission.metadata,
        conversation: [
          { ...submission.conversation[0], role: 'agent' },
          { ...submission.conversation[1], role: 'user' },
        ],
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updatedAt: body.lead.createdAt,
      },
    })
  })

  it('is stored with its chat session, both stamped with the project’s owner', async () => {
    const ownerId = new ObjectId()
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ ownerId }))
    const submission = leadSubmission()
    const { body } = await post(submission)

    const lead = await onlyLead()
    expect(lead).toMatchObject({ ownerId, conversation: submission.conversation })
    const sessions = await (await chatSessions.open()).find().toArray()
    expect(sessions).toEqual([
      {
        _id: lead?._id,
        sessionId: `lead:${body.lead.id}`,
        leadId: lead?._id,
        ownerId,
        microsite: 'nivasa-enchante',
        projectId: 'nivasa-enchante',
        phone: '+919876501234',
        bhkType: '1 BHK',
        conversation: submission.conversation,
        metadata: submission.metadata,
        createdAt: lead?.createdAt,
        updatedAt: lead?.createdAt,
      },
    ])
  })

  it('has no chat session where there was no chat', async () => {
    expect((await post(leadSubmission({ conversation: undefined }))).status).toBe(201)
    expect(await countOf(chatSessions.open())).toBe(0)
  })

  it('is stored without the fields that nobody asked for', async () => {
    const spoofed = {
      ownerId: '507f1f77bcf86cd799439011',
      status: 'closed',
      spam: null,
      leadSource: 'Import',
      createdAt: '2020-01-01',
      _id: 'mine',
      inputDigest: 'x',
      $where: '1',
    }
    const submission = leadSubmission()
    const { status } = await post({ ...submission, ...spoofed })

    expect(status).toBe(201)
    const plain = { status: 'new', leadSource: 'ChatWidget', metadata: submission.metadata }
    await backgroundTasksDone()
    const lead = await onlyLead()
    expect(lead).toMatchObject(plain)
    const fields = `_id bhk bhkType conversation createdAt headKey lastSeenAt leadSource metadata microsite name
      phone projectId quarantined searchKeys searchText status submissions updatedAt`
    expect(Object.keys(lead ?? {}).sort()).toEqual(fields.split(/\s+/))
    expect(lead?.createdAt.getTime()).toBeGreaterThan(Date.parse('2026-01-01'))
  })

  it('keeps in its metadata what MongoDB, the driver or JavaScript would misread', async () => {
    const metadata = '{"a.b":1,"$where":"x","__proto__":{"admin":true},"_bsontype":"ObjectId","nul\\u0000":2}'
    const { status, body } = await post(`{"phone":"9876501234","microsite":"m","metadata":${metadata}}`)

    expect(status).toBe(201)
    const legacy = [
      { key: 'a.b', value: 1 },
      { key: '$where', value: 'x' },
      { key: '__proto__', value: { admin: true } },
      { key: '_bsontype', value: 'ObjectId' },
      { key: 'nul\0', value: 2 },
    ]
    expect(body.lead.metadata).toEqual({ legacy })
    expect((await onlyLead())?.metadata).toEqual({ legacy })
  })

  it('survives metadata that is nested out of all reason', async () => {
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { status, body } = await post(`{"phone":"9876501234","microsite":"m","metadata":{"x":${nested}}}`)
    expect(status).toBe(201)
    expect(body.lead.metadata.truncated).toBe(true)
  })

  it('may be answered from an old widget that sends its key as credentials', async () => {
    expect((await post(leadSubmission(), { token: 'widget-key-1' })).status).toBe(201)
  })
})

describe('the phone of a lead', () => {
  it.each([
    ['a number typed as JSON number', { phone: 9876501234 }, '+919876501234'],
    ['7000000001 without a plus', { phone: '7000000001' }, '+917000000001'],
    [
      'a national number of the country that the widget names',
      nationalIn('AE', '050 123 4567'),
      '+971501234567',
    ],
    ['a country that the widget names and nobody knows', nationalIn('UK', '09876501234'), '+919876501234'],
  ])('is read from %s', async (_, overrides, phone) => {
    const { status, body } = await post(leadSubmission({ metadata: {}, ...overrides }))
    expect(status).toBe(201)
    expect(body.lead.phone).toBe(phone)
  })

  it('is national to the project’s country, unless the widget names another', async () => {
    await (await widgetConfigs.open()).insertOne(
      storedWidgetConfig({ projectId: 'marina', phoneCountry: 'AE' }),
    )
    const metadata = { projectId: 'marina' }
    const inProject = await post(leadSubmission({ phone: '0501234567', metadata }))
    expect(inProject.body.lead.phone).toBe('+971501234567')

    const named = { ...metadata, phoneCountryCode: 'IN' }
    const inWidget = await post(leadSubmission({ phone: '9876501234', metadata: named }))
    expect(inWidget.body.lead.phone).toBe('+919876501234')
  })

  it('that is none is kept as it was written, in quarantine, and answered like any other', async () => {
    const { status, body } = await post(leadSubmission({ phone: '12345' }))

    expect(status).toBe(201)
    expect(body.lead).toMatchObject({ phoneRaw: '12345', status: 'new' })
    expect(body.lead).not.toHaveProperty('phone')
    const lead = await onlyLead()
    expect(lead).toMatchObject({ phoneRaw: '12345', spam: { reasons: ['invalid_phone'] } })
    expect(lead).not.toHaveProperty('phone')
  })

  it('that is none is refused by name where the client asked for strictness, and stores nothing', async () => {
    const headers = { prefer: 'respond-async, handling=strict' }
    const { status, body } = await post(leadSubmission({ phone: '12345' }), { headers })

    expect(status).toBe(400)
    expect(body.code).toBe('invalid_request')
    expect(body.details?.map(({ path }) => path)).toEqual(['phone'])
    expect(await countOf(leads.open())).toBe(0)
    expect(await countOf(chatSessions.open())).toBe(0)
    expect((await post(leadSubmission(), { headers })).status).toBe(201)
  })

  it.each([
    ['a phone that is none and nothing else', { phone: '12345' }],
    ['nothing at all', {}],
    ['only what is empty', { phone: ' ', bhkType: '', bhk: null, conversation: [] }],
    ['a conversation without a message', { conversation: [{ type: 'user', text: '' }] }],
  ])('is asked for where there is %s', async (_, fields) => {
    const { status, body } = await post({ microsite: 'm', metadata: { name: 'Asha' }, ...fields })
    expect(status).toBe(400)
    expect(body.details?.map(({ path }) => path)).toEqual(['phone'])
    expect(await countOf(leads.open())).toBe(0)
  })

  it.each([
    ['a BHK', { bhk: 0 }],
    ['a type', { bhkType: 'Just Browsing' }],
    ['a conversation', { conversation: [{ type: 'user', text: 'hello' }] }],
  ])('is not needed beside %s', async (_, fields) => {
    expect((await post({ microsite: 'm', ...fields })).status).toBe(201)
  })
})

describe('the BHK of a lead', () => {
  it.each([
    ['bhk as a number', { bhk: 3 }, { bhkType: '3 BHK', bhk: 3 }],
    ['bhk as a numeral', { bhk: '3' }, { bhkType: '3 BHK', bhk: 3 }],
    ['bhk as a text', { bhk: '3 BHK' }, { bhkType: '3 BHK', bhk: 3 }],
    ['bhk above four', { bhk: 5 }, { bhkType: 'Other', bhk: 5 }],
    ['bhkType as a number', { bhkType: 2 }, { bhkType: '2 BHK', bhk: 2 }],
    [
      'a text beside a text, of which the type counts',
      { bhk: 'villa', bhkType: '2bhk' },
      { bhkType: '2 BHK' },
    ],
    ['a text that is no type', { bhkType: 'Penthouse' }, { bhkType: 'Other', bhkRaw: 'Penthouse' }],
    ['neither', {}, { bhkType: 'Yet to decide' }],
  ])('is read from %s', async (_, fields, expected) => {
    const { body } = await post({ phone: '9876501234', microsite: 'm', ...fields })
    expect(body.lead).toMatchObject(expected)
  })
})

describe('a lead with fields of the wrong type', () => {
  it.each([
    ['phone', { phone: { $ne: 1 } }],
    ['bhk', { bhk: [3] }],
    ['bhkType', { bhkType: true }],
    ['microsite', { microsite: ['m'] }],
    ['conversation', { conversation: 'hello' }],
    ['metadata', { metadata: 'hello' }],
  ])('is kept without its %s', async (_, fields) => {
    const { status } = await post(leadSubmission(fields))
    expect(status).toBe(201)
    expect(await countOf(leads.open())).toBe(1)
  })

  it.each([['[]'], ['"lead"'], ['null'], ['']])('is refused where the whole body is %j', async text => {
    const { status, body } = await post(text, { headers: { 'content-type': 'application/json' } })
    expect(status).toBe(400)
    expect(body.code).toBe('invalid_request')
  })
})

describe('the microsite and project of a lead', () => {
  it.each([
    ['both named', { microsite: 'Site.A', metadata: { projectId: 'p.1' } }, ['Site.A', 'p.1']],
    ['only a microsite', { microsite: 'site-a', metadata: {} }, ['site-a', 'site-a']],
    ['only a project', { microsite: undefined, metadata: { projectId: 'p.1' } }, ['p.1', 'p.1']],
    ['an empty microsite', { microsite: ' ', metadata: { projectId: 'p.1' } }, ['p.1', 'p.1']],
    ['no microsite but null', { microsite: null, metadata: { projectId: 'p.1' } }, ['p.1', 'p.1']],
    ['a microsite that is a number', { microsite: 42, metadata: {} }, ['42', '42']],
    ['neither', { microsite: undefined, metadata: {} }, ['site.example', 'site.example']],
    ['a project id that is none', { microsite: 'm', metadata: { projectId: { $gt: '' } } }, ['m', 'm']],
  ])('are found with %s', async (_, fields, [microsite, projectId]) => {
    const { status } = await post(leadSubmission(fields), { origin: 'https://www.Site.example' })
    expect(status).toBe(201)
    expect(await onlyLead()).toMatchObject({ microsite, projectId })
  })

  it.each([
    ['lists the domain', { projectId: 'p.1', domains: ['site.example'] }, 'p.1'],
    ['is named after the domain', { projectId: 'site.example' }, 'site.example'],
    ['is named after the domain with www.', { projectId: 'www.site.example' }, 'www.site.example'],
  ])(
    'are those of the project that %s of the page, where neither is named',
    async (_, project, projectId) => {
      await (await widgetConfigs.open()).insertOne(storedWidgetConfig(project))
      const submission = leadSubmission({ microsite: undefined, metadata: {} })
      for (const origin of ['https://www.Site.example', 'https://site.example'])
        await post(submission, { origin })
      expect(await onlyLead()).toMatchObject({ microsite: projectId, projectId })
    },
  )

  it('are the default ones where not even the page is known', async () => {
    await post(leadSubmission({ microsite: undefined, metadata: {} }), { origin: 'null' })
    expect(await onlyLead()).toMatchObject({ microsite: 'default', projectId: 'default' })
  })
})

describe('a page that may not use the project', () => {
  it('stores nothing and cannot read the answer', async () => {
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ domains: ['nivasa.example'] }))
    const refused = await post(leadSubmission(), { origin: 'https://elsewhere.example' })
    await backgroundTasksDone()

    expect(refused.status).toBe(403)
    expect(refused.body.code).toBe('forbidden')
    expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    expect(await countOf(leads.open())).toBe(0)
    expect(await countOf(chatSessions.open())).toBe(0)
    expect(await countOf(eventCounts.open())).toBe(0)
  })

  it('is not the page of a listed domain, with or without www', async () => {
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ domains: ['nivasa.example'] }))
    const answers = await Promise.all(
      ['https://nivasa.example', 'https://www.nivasa.example:8443', undefined].map(origin =>
        post(leadSubmission(), origin === undefined ? {} : { origin }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
  })
})

describe('the public answer', () => {
  it('says nothing of what operators did with the lead since', async () => {
    const submission = leadSubmission({ phone: '12345' })
    const first = await post(submission)
    const operators = {
      status: 'contacted' as const,
      history: [{ at: new Date(), by: 'ravi@example.com', note: 'rude on the phone' }],
      duplicateOf: new ObjectId(),
      submissions: 4,
      ownerId: new ObjectId(),
      spam: { score: 1, reasons: ['invalid_phone', 'operator'] },
      updatedAt: new Date('2030-01-01'),
    }
    await (await leads.open()).updateOne({}, { $set: operators })

    const again = await post(submission)
    expect(again.body).toEqual(first.body)
    for (const field of [
      'ownerId',
      'quarantined',
      'searchText',
      'spam',
      'history',
      'submissions',
      'duplicateOf',
    ])
      expect(again.body.lead).not.toHaveProperty(field)
  })
})

function nationalIn(phoneCountryCode: string, phone: string) {
  return { phone, metadata: { phoneCountryCode } }
}
