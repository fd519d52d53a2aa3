import { describe, expect, it } from 'vitest'
import { ChatSession } from '../../../lib/domain/chats/chat-sessions.js'
import { WidgetEvent } from '../../../lib/domain/events/events.js'
import { Lead } from '../../../lib/domain/leads/leads.js'
import { WidgetConfig } from '../../../lib/domain/widgets/widget-configs.js'
import { configOfRow } from '../../../scripts/migrate/config-rows.js'
import { eventOfRow } from '../../../scripts/migrate/event-rows.js'
import { leadOfRow, projectOfRow } from '../../../scripts/migrate/lead-rows.js'
import { type LegacyRow, readTime } from '../../../scripts/migrate/legacy-values.js'
import { sessionOfRow } from '../../../scripts/migrate/session-rows.js'

const AT = '2025-09-01T10:00:00.000Z'
const facts = (row: LegacyRow) => ({ projectId: projectOfRow(row) })
const lead = (row: LegacyRow) => Lead.parse(leadOfRow(row, facts(row)))
const event = (row: LegacyRow) => WidgetEvent.parse(eventOfRow(row, undefined))

describe('a lead', () => {
  it('is normalised as capture does, and keeps what it said', () => {
    const row = {
      id: 7,
      phone: '070000 00001',
      bhkType: '2bhk',
      metadata: { projectId: 'site' },
      createdAt: AT,
    }

    expect(lead(row)).toMatchObject({
      phone: '+917000000001',
      bhkType: '2 BHK',
      microsite: 'site',
      status: 'new',
      quarantined: false,
      metadata: {
        legacy: [
          { key: 'id', value: 7 },
          { key: 'phone', value: '070000 00001' },
          { key: 'bhkType', value: '2bhk' },
        ],
      },
      createdAt: new Date(AT),
    })
  })

  it('loses nothing to the bounds of what we store', () => {
    const long = 'x'.repeat(5_000)
    const metadata = { notes: 'y'.repeat(20_000) }
    const conversation = [{ id: 'a', type: 'user', text: long, mood: 'glad' }, 'no message']
    const { metadata: kept } = lead({
      metadata,
      conversation,
      status: 'lost',
      owner: { $ne: 1 },
      createdAt: AT,
    })

    expect(kept.legacy).toEqual([
      { key: 'metadata', value: JSON.stringify(metadata) },
      { key: 'conversation', value: JSON.stringify(conversation) },
      { key: 'status', value: 'lost' },
      { key: 'owner', value: { legacy: [{ key: '$ne', value: 1 }] } },
    ])
  })

  it('is the same one wherever it is read, with an id or without', () => {
    expect(lead({ id: 'a', status: 'new' })._id).toEqual(lead({ id: 'a', status: 'closed' })._id)
    expect(lead({ phone: '1', createdAt: AT })._id).toEqual(lead({ phone: '1', createdAt: AT })._id)
    expect(lead({ phone: '1', createdAt: AT })._id).not.toEqual(lead({ phone: '2', createdAt: AT })._id)
  })
})

it('a chat that has no lead keeps its phone where it is one', () => {
  const row = { id: 'a', phone: 'secret', leadId: 'x', microsite: 'site', conversation: [], createdAt: AT }
  const session = ChatSession.parse(sessionOfRow(row, facts(row)))

  expect(session).toMatchObject({ sessionId: session._id.toHexString(), projectId: 'site' })
  expect(session).not.toHaveProperty('phone')
  expect(session.metadata.legacy).toContainEqual({ key: 'phone', value: 'secret' })
})

describe('an event', () => {
  it('counts for the day of its arrival, and happened when its visitor says within reason', () => {
    const payload = { at: '2025-09-01T09:59:00.000Z' }
    expect(event({ type: 't', projectId: 'p', payload, createdAt: AT })).toMatchObject({
      microsite: 'p',
      day: '2025-09-01',
      at: new Date(payload.at),
      receivedAt: new Date(AT),
    })
    expect(event({ type: 't', payload: { at: '2020-01-01T00:00:00Z' }, createdAt: AT }).at).toEqual(
      new Date(AT),
    )
  })

  it('is one with another row only where that says the same', () => {
    const row = { type: 't', projectId: 'p', createdAt: AT }
    expect(event(row)._id).toEqual(event({ ...row })._id)
    expect(event({ ...row, id: 'a' })._id).not.toEqual(event({ ...row, id: 'b' })._id)
    expect(event({ ...row, id: 'a' })._id).not.toEqual(event({ ...row, id: 'a', payload: {} })._id)
  })
})

it('a configuration is read as far as its form would take it', () => {
  const propertyInfo = { 'a.b': 1, pricing: { '3.5 BHK': 5 }, amenities: ['Pool'] }
  const config = WidgetConfig.parse(
    configOfRow({
      id: 'x',
      projectId: 'p',
      primaryColor: 'blue',
      agentName: 'Riya',
      propertyInfo,
      createdAt: AT,
    }),
  )

  expect(config).toMatchObject({
    agentName: 'Riya',
    domains: [],
    revision: 1,
    propertyInfo: { amenities: ['Pool'], pricing: [{ configuration: '3.5 BHK', price: '5' }] },
  })
  expect(config.metadata?.legacy.map(({ key }) => key)).toEqual(['propertyInfo', 'id', 'primaryColor'])
  expect(() => configOfRow({ agentName: 'Riya' })).toThrow('it names no project')
})

it.each([
  [AT, AT],
  ['2025-09-01', '2025-09-01T00:00:00.000Z'],
  ['2025-09-01T10:00:00', AT],
  ['2025-09-01T15:30:00+05:30', AT],
  [Date.parse(AT), AT],
  ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z'],
  // What languages and databases write for no time, and for ever.
  ['0001-01-01T00:00:00Z', undefined],
  ['9999-12-31', undefined],
  ['yesterday', undefined],
  ['5', undefined],
  [5, undefined],
  [null, undefined],
])('the time %j is %s', (value, time) => expect(readTime(value)?.toISOString()).toBe(time))
