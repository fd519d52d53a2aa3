import { beforeEach, describe, expect, it } from 'vitest'
import { recordEvents } from '../../../lib/domain/events/events.js'
import { emptyDatabase } from '../../support/database.js'

const now = new Date('2026-11-22T12:00:00.000Z')

const record = async (fields: Record<string, unknown>) => {
  const recorded = await recordEvents(
    { type: 'chat_shown', projectId: 'nivasa-enchante', ...fields },
    { now, clientAddress: '203.0.113.7', userAgent: 'Browser', background: () => {} },
  )
  if (!('event' in recorded)) throw new Error('recorded as a batch')
  return recorded.event
}

beforeEach(emptyDatabase)

describe('when an event happened', () => {
  it.each([
    ['by the visitor', { at: '2026-11-22T11:58:00.000Z' }, '2026-11-22T11:58:00.000Z'],
    [
      'by the visitor, in the payload',
      { payload: { at: '2026-11-22T11:58:00.000Z' } },
      '2026-11-22T11:58:00.000Z',
    ],
    ['in another zone', { at: '2026-11-22T17:28:00.000+05:30' }, '2026-11-22T11:58:00.000Z'],
    ['a day ago', { at: '2026-11-21T12:00:00.000Z' }, '2026-11-21T12:00:00.000Z'],
    ['by a clock five minutes ahead', { at: '2026-11-22T12:05:00.000Z' }, '2026-11-22T12:05:00.000Z'],
    ['of its own before that of the payload', both('11:58', '11:57'), '2026-11-22T11:58:00.000Z'],
  ])('is believed %s', async (_, fields, at) => {
    const event = await record(fields)
    expect(event.at.toISOString()).toBe(at)
    expect(event.createdAt).toEqual(now)
    expect(event.updatedAt).toEqual(now)
  })

  it.each([
    ['more than a day ago', { at: '2026-11-21T11:59:59.999Z' }],
    ['further ahead than clocks are', { at: '2026-11-22T12:05:00.001Z' }],
    ['at no time at all', { at: 'yesterday' }],
    ['at something that is no text', { payload: { at: { $date: 0 } } }],
    ['at a time that nobody gave', {}],
  ])('is when it arrived where it happened %s', async (_, fields) => {
    expect((await record(fields)).at).toEqual(now)
  })
})

function both(own: string, payload: string) {
  return { at: `2026-11-22T${own}:00.000Z`, payload: { at: `2026-11-22T${payload}:00.000Z` } }
}
