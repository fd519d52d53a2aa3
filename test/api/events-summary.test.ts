import { beforeEach, describe, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import { createApiKey, type Scope } from '../../lib/domain/accounts/api-keys.js'
import { type CountedType, eventCounts } from '../../lib/domain/events/event-counts.js'
import type { EventSummary } from '../../lib/domain/events/event-summary.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { costOf, listenToCommands } from '../support/fixtures/commands.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { adminToken, type CallOptions, call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

const asAdmin = { token: adminToken() }
const summary = (query = '', options: CallOptions = asAdmin) =>
  call<EventSummary>(eventsRoute, 'GET', `/api/events${query}`, options)

type Row = [day: string, projectId: string, microsite: string, type: CountedType, count: number]

const ROWS: Row[] = [
  ['2026-11-18', 'nivasa', 'nivasa.example', 'chatsShown', 100],
  ['2026-11-19', 'nivasa', 'nivasa.example', 'chatsShown', 10],
  ['2026-11-19', 'nivasa', 'nivasa.example', 'chatsStarted', 4],
  ['2026-11-19', 'nivasa', 'second.example', 'chatsShown', 3],
  ['2026-11-20', 'nivasa', 'nivasa.example', 'leadsCaptured', 2],
  ['2026-11-20', 'skyline', 'skyline.example', 'chatsShown', 7],
  ['2026-11-20', 'skyline', 'skyline.example', 'leadsCaptured', 1],
]

let alice: TestUser
let bob: TestUser

beforeEach(async () => {
  await emptyDatabase()
  alice = await createTestUser()
  bob = await createTestUser()
  await (await widgetConfigs.open()).insertMany([
    storedWidgetConfig({ projectId: 'nivasa', ownerId: alice.user._id }),
    storedWidgetConfig({ projectId: 'skyline', ownerId: bob.user._id }),
  ])
  const counts = ROWS.map(([day, projectId, microsite, type, count]) => ({
    _id: { projectId, microsite, type, day },
    count,
  }))
  await (await eventCounts.open()).insertMany(counts)
})

const totals = (chatsShown: number, chatsStarted: number, leadsCaptured: number) => ({
  chatsShown,
  chatsStarted,
  leadsCaptured,
})

describe('the summary', () => {
  it.each([
    ['', totals(120, 4, 3)],
    ['?microsite=nivasa.example', totals(110, 4, 2)],
    ['?projectId=nivasa', totals(113, 4, 2)],
    ['?projectId=nivasa&microsite=second.example', totals(3, 0, 0)],
    ['?projectId=skyline&microsite=nivasa.example', totals(0, 0, 0)],
    ['?from=2026-11-20', totals(7, 0, 3)],
    ['?to=2026-11-18', totals(100, 0, 0)],
    ['?from=2026-11-19&to=2026-11-19', totals(13, 4, 0)],
    ['?from=2026-11-19T18:00:00Z&to=2026-11-19T20:00:00Z', totals(13, 4, 0)],
    ['?from=2026-11-20T02:00:00%2B05:30&to=2026-11-19', totals(13, 4, 0)],
    ['?from=2026-11-21', totals(0, 0, 0)],
    ['?from=2026-11-20&to=2026-11-18', totals(0, 0, 0)],
    ['?t=1795327006183', totals(120, 4, 3)],
  ])('of %s', async (query, expected) => {
    const { status, body } = await summary(query)
    expect(status).toBe(200)
    expect(body).toEqual(expected)
  })

  it('has a series by day and type, oldest first, of the microsites together', async () => {
    const { body } = await summary('?interval=day&from=2026-11-19')
    expect(body).toEqual({
      ...totals(20, 4, 3),
      series: [
        { date: '2026-11-19', type: 'chatsShown', count: 13 },
        { date: '2026-11-19', type: 'chatsStarted', count: 4 },
        { date: '2026-11-20', type: 'chatsShown', count: 7 },
        { date: '2026-11-20', type: 'leadsCaptured', count: 3 },
      ],
    })
    expect((await summary('?interval=day&microsite=unknown')).body.series).toEqual([])
  })

  it.each(['from=yesterday', 'to=5', 'to=2026-11-20T10:00:00', 'interval=hour'])(
    'refuses %s by name',
    async query => {
      const { status, text } = await summary(`?${query}`)
      expect(status).toBe(400)
      expect(text).toContain(`query.${query.split('=')[0]}`)
    },
  )
})

describe('who asks', () => {
  it('sees the projects that are its own now, and all of them as an admin', async () => {
    const nivasa = totals(113, 4, 2)
    expect((await summary('', alice)).body).toEqual(nivasa)
    expect((await summary('?projectId=skyline', alice)).body).toEqual(totals(0, 0, 0))
    expect((await summary('?microsite=skyline.example', alice)).body).toEqual(totals(0, 0, 0))
    expect((await summary('', await createTestUser())).body).toEqual(totals(0, 0, 0))
    expect((await summary('', await createTestUser({ role: 'admin' }))).body).toEqual(totals(120, 4, 3))

    const configs = await widgetConfigs.open()
    await configs.updateOne({ projectId: 'nivasa' }, { $set: { ownerId: bob.user._id } })
    expect((await summary('', alice)).body).toEqual(totals(0, 0, 0))
    expect((await summary('', bob)).body).toEqual(totals(120, 4, 3))
  })

  const cases: [string, () => TestUser | undefined, Scope, string[] | undefined, EventSummary | number][] = [
    ['all', () => undefined, 'leads:read', undefined, totals(120, 4, 3)],
    [
      'its microsites',
      () => undefined,
      'leads:read',
      ['second.example', 'skyline.example'],
      totals(10, 0, 1),
    ],
    ['what its owner has', () => alice, 'leads:read', undefined, totals(113, 4, 2)],
    [
      'what of its microsites its owner has',
      () => alice,
      'leads:read',
      ['second.example', 'skyline.example'],
      totals(3, 0, 0),
    ],
    ['nothing without the scope', () => alice, 'leads:write', undefined, 403],
  ]
  it.each(cases)('by a key sees %s', async (_, owner, scope, microsites, expected) => {
    const input = { scopes: [scope], ...(microsites && { microsites }) }
    const { key } = await createApiKey(input, owner()?.user._id, new Date())
    const { status, body } = await summary('', { headers: { 'x-api-key': key } })
    if (typeof expected === 'number') expect(status).toBe(expected)
    else expect(body).toEqual(expected)
  })

  it('has to be somebody', async () => {
    expect((await summary('', {})).status).toBe(401)
    expect((await summary('', { token: 'a-widget-key' })).status).toBe(401)
  })
})

// The other engines do not say what a pipeline examined.
describe.runIf(testDatabase().kind === 'embedded')('its cost', () => {
  it.each([
    ['a microsite', '?microsite=site-7.example&from=2026-10-01&to=2026-10-03', 'admin', 3, 'microsite_day'],
    ['an owner', '?from=2026-10-01&to=2026-10-03', 'owner', 3, 'project_day'],
    ['everything', '?from=2026-10-02&to=2026-10-02', 'admin', 30, 'day'],
  ])('for %s is that of its days, by an index, and no event is read', async (_, query, who, days, index) => {
    const others = Array.from({ length: 30 }, (_, site) =>
      Array.from({ length: 28 }, (_, day) => ({
        _id: {
          projectId: site === 7 ? 'nivasa' : `project-${site}`,
          microsite: `site-${site}.example`,
          type: 'chatsShown' as const,
          day: `2026-10-${String(day + 1).padStart(2, '0')}`,
        },
        count: 1,
      })),
    ).flat()
    await (await eventCounts.open()).insertMany(others)
    const commands = await listenToCommands()
    const { body } = await summary(query, who === 'owner' ? alice : asAdmin)
    expect(body).toEqual(totals(days, 0, 0))

    expect(commands.map(({ collection }) => collection)).not.toContain('events')
    expect(commands.map(({ collection }) => collection)).not.toContain('leads')
    const sent = commands.find(({ collection }) => collection === 'eventcounts')
    if (!sent) throw new Error('no counters were read')
    const cost = await costOf(sent)
    expect(cost.stages).not.toContain('COLLSCAN')
    expect(cost.index).toBe(index)
    expect(cost.documents).toBe(days)
  })
})
