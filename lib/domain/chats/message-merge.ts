import { type IdentifiedMessage, isFull, type Message } from './messages.js'

/**
 * Adds to a chat the messages of a post. Stored messages keep their order. A new one goes before its next stored
 * successor in the post, else last, but before stored messages with later timestamps. Nothing is kept before a full
 * post or added before a full chat: messages were cut off there.
 */
export function mergeMessages(stored: readonly Message[], sent: readonly IdentifiedMessage[]): Message[] {
  const positions = new Map(stored.map(({ id }, position) => [id, position]))
  const takesInFront = !isFull(stored)
  let left = stored.length - countLater(stored, sent)
  const backwards = stored.slice(left).reverse()
  for (const message of sent.toReversed()) {
    const position = positions.get(message.id)
    if (position === undefined) {
      if (left > 0 || takesInFront) backwards.push(message)
    } else if (position < left) {
      backwards.push(...stored.slice(position, left).reverse())
      left = position
    }
  }
  const front = isFull(sent) ? [] : stored.slice(0, left)
  return [...front, ...backwards.reverse()]
}

/** How many of the last messages were said after all that was sent, and are no part of it. */
function countLater(stored: readonly Message[], sent: readonly IdentifiedMessage[]): number {
  const end = sent.at(-1)?.timestamp ?? Number.POSITIVE_INFINITY
  const ids = new Set<string | undefined>(sent.map(({ id }) => id))
  const before = stored.findLastIndex(({ id, timestamp = 0 }) => timestamp <= end || ids.has(id))
  return stored.length - before - 1
}
