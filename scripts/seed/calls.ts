import type { z } from 'zod'
import type { ConversationInput } from '../../lib/domain/calls/conversation-input.js'
import { type Business, CALL_LINES } from './cast.js'
import { type Random, randomFrom } from './random.js'

/** One call as the voice agent posts it, turn by turn; every post with the time at which it arrives. */
export interface Call {
  sessionId: string
  posts: { at: Date; input: Omit<z.input<typeof ConversationInput>, 'userId'> }[]
}

/** The calls of a business in the month of a moment, up to it, and in the month before; oldest first. */
export function callsOf(business: Business, seed: number, madeAt: Date): Call[] {
  const month = Date.UTC(madeAt.getUTCFullYear(), madeAt.getUTCMonth())
  const before = Date.UTC(madeAt.getUTCFullYear(), madeAt.getUTCMonth() - 1)
  const random = randomFrom(`${seed} ${business.company}`)
  return [
    ...spread(business, seed, { count: business.calls.before, from: before, to: month }, random),
    ...spread(business, seed, { count: business.calls.now, from: month, to: madeAt.getTime() }, random),
  ]
}

/** Calls that begin one after another within a time, and end within it as well. */
function spread(
  business: Business,
  seed: number,
  { count, from, to }: { count: number; from: number; to: number },
  random: Random,
): Call[] {
  const each = (to - from) / count
  return Array.from({ length: count }, (_, i) => {
    const room = Math.floor(each / 1_000)
    const seconds = Math.min(room, Math.round(business.seconds * (0.4 + random.share() * 1.2)))
    const start = from + i * each + random.share() * Math.max(0, each - seconds * 1_000)
    const id = `demo-${seed}-${business.plan}-${from}-${i}`
    return callOf(id, new Date(start), seconds, random)
  })
}

function callOf(sessionId: string, start: Date, seconds: number, random: Random): Call {
  const phoneNumber = `+9198${String(45_000_000 + random.between(0, 999) * 37)}`
  const failed = random.chance(0.04)
  const turns = failed ? 1 : random.between(2, CALL_LINES.length)
  const posts = CALL_LINES.slice(0, turns).map(([userMessage, aiResponse], i) => {
    const share = (i + 1) / turns
    const duration = Math.round(seconds * share)
    const transcriptionTime = random.between(180, 420)
    const responseTime = random.between(500, 1_800)
    const ttsTime = random.between(200, 600)
    const at = new Date(start.getTime() + duration * 1_000)
    const status =
      i < turns - 1 ? ('processing' as const) : failed ? ('failed' as const) : ('completed' as const)
    const totalProcessingTime = transcriptionTime + responseTime + ttsTime
    const metadata = { transcriptionTime, responseTime, ttsTime, totalProcessingTime }
    const said = { userMessage, aiResponse, duration, status, metadata }
    return { at, input: { sessionId, phoneNumber, turnId: String(i), at: at.toISOString(), ...said } }
  })
  return { sessionId, posts }
}
