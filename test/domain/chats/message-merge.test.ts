import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeMessages } from '../../../lib/domain/chats/message-merge.js'
import {
  IdentifiedConversation,
  type IdentifiedMessage,
  lastKept,
  type Message,
} from '../../../lib/domain/chats/messages.js'

const said = (id: number, timestamp?: number): IdentifiedMessage => ({
  id: `${id}`,
  type: 'user',
  text: `${id}`,
  ...(timestamp !== undefined && { timestamp }),
})

const idsOf = (messages: readonly Message[]) => messages.map(({ id }) => Number(id))

describe('mergeMessages', () => {
  it.each<[string, number[], number[], number[]]>([
    ['appends what is new', [1, 2], [2, 3], [1, 2, 3]],
    ['changes nothing of what is known', [1, 2, 3], [1, 2], [1, 2, 3]],
    ['puts what was lost in front of what follows it', [1, 3, 5], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
    ['puts what nothing follows behind all, whatever it names before that', [1, 2, 3], [1, 4], [1, 2, 3, 4]],
    ['keeps the order of what is stored against another one', [1, 2, 3], [3, 1, 4], [1, 2, 3, 4]],
  ])('%s', (_, stored, sent, expected) => {
    const merged = mergeMessages(
      stored.map(id => said(id)),
      sent.map(id => said(id)),
    )
    expect(idsOf(merged)).toEqual(expected)
  })

  it.each<[string, number[], number[], number[]]>([
    ['puts what comes late in front of what was said after it', [1, 2, 5], [3, 4], [1, 2, 3, 4, 5]],
    [
      'takes no part of the stored ones for later that the post itself has',
      [2, 3, 4],
      [3, 4, 1],
      [2, 3, 4, 1],
    ],
  ])('%s', (_, stored, sent, expected) => {
    const merged = mergeMessages(
      stored.map(id => said(id, id)),
      sent.map(id => said(id, id)),
    )
    expect(idsOf(merged)).toEqual(expected)
  })

  it('keeps what is stored as it is', () => {
    const [first, other] = [said(1), { ...said(1), text: 'something else' }]
    expect(mergeMessages([first], [other])).toEqual([first])
  })
})

/** A chat of hundreds of messages is not made smaller in any useful time. */
const RUNS = { numRuns: 100, endOnFailure: true }

/** A chat of its widget, in its order: lengths of texts that reach both limits after a few hundred messages. */
const chat = fc
  .array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 800 }), fc.constant(4_000)), {
    minLength: 1,
    maxLength: 1_400,
    size: 'max',
  })
  .map(lengths => lengths.map((length, i) => ({ ...said(i, i), text: 'x'.repeat(length) })))

/** What is stored after some posts, each of which is a part of the chat as the API reads it. */
function afterPosts(messages: readonly IdentifiedMessage[], posts: readonly (readonly [number, number])[]) {
  let stored: Message[] = []
  const received = new Set<string>()
  for (const [from, to] of posts) {
    const part = messages.slice(from, to + 1)
    const sent = IdentifiedConversation.parse(part)
    stored = lastKept(mergeMessages(stored, sent))
    for (const { id } of part) received.add(id)
  }
  return { stored, received: messages.filter(({ id }) => received.has(id)) }
}

/** Of whatever is posted, all that fits of the end of what came is stored, in its order. */
function expectTheEnd(posted: fc.Arbitrary<[readonly IdentifiedMessage[], (readonly [number, number])[]]>) {
  fc.assert(
    fc.property(posted, ([messages, posts]) => {
      const { stored, received } = afterPosts(messages, posts)
      expect(idsOf(stored)).toEqual(idsOf(received.slice(received.length - stored.length)))
      const characters = stored.reduce((sum, { text }) => sum + text.length, 0)
      expect(characters).toBeLessThanOrEqual(100_000)
      expect(stored.length).toBeLessThanOrEqual(1_000)
      // All of it, or no more than fits.
      if (stored.length < received.length && stored.length < 1_000) expect(characters).toBeGreaterThan(96_000)
    }),
    RUNS,
  )
}

const part = (messages: readonly unknown[]) =>
  fc
    .tuple(fc.nat({ max: messages.length - 1 }), fc.nat({ max: messages.length - 1 }))
    .map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const)

describe('a chat that its widget posts in parts', () => {
  it('is the end of what came, in order, whichever parts come in whichever order', () => {
    const posted = chat.chain(messages =>
      fc.tuple(fc.constant(messages), fc.array(part(messages), { maxLength: 12 })),
    )
    expectTheEnd(posted)
  })

  it('is so without times too, while no part ends before one that came already', () => {
    const posted = chat.chain(messages =>
      fc.tuple(
        fc.constant(messages.map(({ timestamp: _, ...message }) => message)),
        fc.array(part(messages), { maxLength: 12 }).map(parts => parts.sort((a, b) => a[1] - b[1])),
      ),
    )
    expectTheEnd(posted)
  })

  it('is so without ids and times, while it is sent as a whole', () => {
    const texts = fc.array(fc.constantFrom('yes', 'no', 'x'.repeat(400)), {
      minLength: 1,
      maxLength: 1_400,
      size: 'max',
    })
    const posted = texts.chain(all =>
      fc.tuple(fc.constant(all), fc.array(fc.nat({ max: all.length }), { maxLength: 6 })),
    )
    fc.assert(
      fc.property(posted, ([all, ends]) => {
        const messages = all.map(text => ({ type: 'user', text }))
        let stored: Message[] = []
        for (const end of ends.sort((a, b) => a - b))
          stored = lastKept(mergeMessages(stored, IdentifiedConversation.parse(messages.slice(0, end))))
        const sent = messages.slice(0, ends.at(-1) ?? 0)
        expect(stored.map(({ text }) => text)).toEqual(lastKept(sent).map(({ text }) => text))
      }),
      RUNS,
    )
  })
})
