import type { Message } from '../chats/messages.js'
import type { FreeForm } from '../free-form.js'

/** A person reads and types: what is faster than this from the first sight to the submission was not one. */
const TOO_FAST_MS = 2_000
const MANY_LINKS = 3
const LINK = /https?:\/\/|www\./gi

/** What a submission tells of who made it. */
interface SpamSigns {
  /** A field that people do not see, and fill in only by program. */
  honeypot: string | undefined
  name: string | undefined
  metadata: FreeForm
  conversation: readonly Message[]
  phoneIsUnusable: boolean
}

/** Why a lead goes to quarantine; none if it does not. */
export function spamReasons(signs: SpamSigns): string[] {
  const reasons: string[] = []
  if (signs.phoneIsUnusable) reasons.push('invalid_phone')
  if (signs.honeypot !== undefined) reasons.push('honeypot')
  if (tookMs(signs.metadata) < TOO_FAST_MS) reasons.push('too_fast')
  if (linksIn(signs) >= MANY_LINKS) reasons.push('links')
  return reasons
}

/** How long the visitor took by its own clock, where the widget says so. */
function tookMs({ visitor }: FreeForm): number {
  const { firstSeenAt, lastInteractionAt } = (visitor ?? {}) as FreeForm
  const took = timeOf(lastInteractionAt) - timeOf(firstSeenAt)
  return took >= 0 ? took : Number.POSITIVE_INFINITY
}

/** Only of a text: what else a visitor sends here may not even have one to be made of it. */
function timeOf(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN
}

/** A link in a name counts as many: nobody is called one. */
function linksIn({ name, conversation }: SpamSigns): number {
  const written = conversation.filter(message => message.type === 'user').map(message => message.text)
  const count = (text: string) => text.match(LINK)?.length ?? 0
  return count(name ?? '') * MANY_LINKS + written.reduce((sum, text) => sum + count(text), 0)
}
