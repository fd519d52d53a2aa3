import { lastWithin, type PublicMessage } from './conversation.js'
import type { FreeForm } from './free-form.js'

/** What a page holds of conversations and metadata, in characters: the platform sends 4.5 MB at once and no more. */
const MAX_CHARACTERS = 1_000_000

/** Of one item's metadata, as capture bounds it. */
const MAX_METADATA = 16_000

interface Item {
  conversation: PublicMessage[]
  /** A document of the old system may have none. */
  metadata?: FreeForm
  truncated?: true | undefined
}

/**
 * The items of a page, short enough to be sent. Visitors decide how much they write, and nobody's page may fail for
 * it: where all of it is too much, what has more than its share shows the end of its conversation, and says so.
 */
export function fitToPage<T extends Item>(items: readonly T[]): T[] {
  const texts = items.reduce((sum, { conversation }) => sum + charactersOf(conversation), 0)
  if (texts + items.length * MAX_METADATA <= MAX_CHARACTERS) return [...items]
  const sizes = items.map(item => charactersOf(item.conversation) + sizeOf(item.metadata))
  if (sizes.reduce((sum, size) => sum + size, 0) <= MAX_CHARACTERS) return [...items]
  const share = Math.floor(MAX_CHARACTERS / items.length)
  return items.map((item, i) => ((sizes[i] ?? 0) > share ? shortened(item, share) : item))
}

function shortened<T extends Item>(item: T, share: number): T {
  const half = share / 2
  return {
    ...item,
    conversation: lastWithin(item.conversation, half),
    ...(sizeOf(item.metadata) > half && { metadata: {} }),
    truncated: true,
  }
}

function sizeOf(metadata: FreeForm = {}): number {
  return JSON.stringify(metadata).length
}

function charactersOf(conversation: readonly PublicMessage[]): number {
  let characters = 0
  for (const { text } of conversation) characters += text.length
  return characters
}
