import { jsonBytes, MAX_PAGE_BYTES, sizesBeyondPage } from '../db/page-size.js'
import { lastWithin, type PublicMessage } from './chats/messages.js'
import type { FreeForm } from './free-form.js'

/** What of an item may be long. The rest is bounded where it comes in: 200 items of it are less than a page. */
interface Item {
  conversation: PublicMessage[]
  /** A document of the old system may have none. */
  metadata?: FreeForm
  /** What operators made of it. */
  history?: object[] | undefined
  truncated?: true | undefined
}

/**
 * The items of a page, short enough to be sent: visitors decide how much they write, and no page may fail because of
 * it. Where all items are too much together, those with more than an equal share keep the end of their conversation and
 * say `truncated`.
 */
export function fitToPage<T extends Item>(items: readonly T[]): T[] {
  const sizes = sizesBeyondPage(items)
  if (sizes === undefined) return [...items]
  const share = Math.floor(MAX_PAGE_BYTES / items.length)
  return items.map((item, i) => ((sizes[i] ?? 0) > share ? shortened(item, share) : item))
}

/** As `fitToPage`, for an item that is answered alone. */
export function fitToAnswer<T extends Item>(item: T): T {
  return fitToPage([item])[0] ?? item
}

/** The metadata may have half of it, the history half of what is left, and the conversation whatever is left then. */
function shortened<T extends Item>(item: T, bytes: number): T {
  const { conversation, metadata = {}, history = [], ...rest } = item
  const shown = { ...item, truncated: true as const }
  let left = bytes - jsonBytes(rest)
  if (jsonBytes(metadata) > left / 2) shown.metadata = {}
  left -= jsonBytes(shown.metadata ?? {})
  if (shown.history) shown.history = lastWithin(history, left / 2, jsonBytes)
  left -= jsonBytes(shown.history ?? [])
  shown.conversation = lastWithin(conversation, left, jsonBytes)
  return shown
}
