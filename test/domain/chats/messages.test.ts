import { describe, expect, it } from 'vitest'
import { CapturedConversation, toPublicMessages } from '../../../lib/domain/chats/messages.js'

const read = (value: unknown) => CapturedConversation.parse(value)

describe('CapturedConversation', () => {
  it('reads messages as widgets send them', () => {
    const sent = [
      { id: '24df192e', type: 'system', text: 'Hi 👋\nthere', timestamp: 1795326992101 },
      { id: 'aabbbd60', type: 'user', text: 'Pricing 💸', timestamp: 1795326993746 },
    ]
    expect(read(sent)).toEqual(sent)
  })

  it('leaves out what is no message and keeps the rest', () => {
    const message = { type: 'user', text: 'hello' }
    expect(read([null, 'hello', 7, [], {}, { text: '' }, { text: 7 }, message])).toEqual([message])
  })

  it.each([undefined, null, 'hello', 7, { 0: { text: 'hello' } }])('takes %j for no conversation', value => {
    expect(read(value)).toEqual([])
  })

  it('drops fields of a message that nobody knows', () => {
    expect(read([{ type: 'user', text: 'hi', $where: '1', html: '<b>' }])).toEqual([
      { type: 'user', text: 'hi' },
    ])
  })

  it('reads ids that are numbers and times that are texts', () => {
    expect(read([{ id: 7, type: 'user', text: 'hi', timestamp: '2026-11-22T05:56:32.090Z' }])).toEqual([
      { id: '7', type: 'user', text: 'hi', timestamp: Date.parse('2026-11-22T05:56:32.090Z') },
    ])
  })

  it('drops an id or a time that is none, but not its message', () => {
    const odd = [
      { id: '', text: 'a', timestamp: 'yesterday' },
      { id: { $ne: 1 }, text: 'b', timestamp: null },
      { id: 'x'.repeat(101), text: 'c', timestamp: Number.NaN },
    ]
    expect(read(odd)).toEqual(['a', 'b', 'c'].map(text => ({ type: 'system', text })))
  })

  it('keeps the last 1,000 messages, 4,000 characters of a text and 100,000 of all', () => {
    const sent = Array.from({ length: 1_002 }, (_, i) => ({ type: 'user', text: `${i}` }))
    const messages = read(sent)
    expect(messages).toHaveLength(1_000)
    expect(messages[0]?.text).toBe('2')
    expect(messages.at(-1)?.text).toBe('1001')
    expect(read([{ text: 'x'.repeat(5_000) }])[0]?.text).toHaveLength(4_000)
    const long = Array.from({ length: 40 }, (_, i) => ({ id: `${i}`, text: 'x'.repeat(4_000) }))
    expect(read(long).map(({ id }) => id)).toEqual(long.slice(-25).map(({ id }) => id))
  })
})

describe('toPublicMessages', () => {
  it('names the role beside the type that the widget gave', () => {
    const messages = ['user', 'system', 'bot'].map(type => ({ type, text: 'hi' }))
    expect(toPublicMessages(messages).map(({ type, role }) => [type, role])).toEqual([
      ['user', 'user'],
      ['system', 'agent'],
      ['bot', 'agent'],
    ])
  })
})
