import { type IdentifiedMessage, isFull, type Message } from './messages.js'

/**
 * A chat's messages with those that its widget sent: what is stored stays as it is, and what it lacks comes in its
 * place. That is in front of what follows it in what was sent, and for what nothing follows behind all that is stored,
 * but for what was said later by the visitor's clock: so neither the whole chat sent again nor a post that comes late
 * puts what is older behind what is newer. In front of what is full, be it the chat or the post, comes nothing: that
 * is where messages were cut off.
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
