import { DAY_MS } from '../../lib/domain/durations.js'
import { CHAT_LINES, FIRST_NAMES, LAST_NAMES, type Site } from './cast.js'
import { type Random, randomFrom } from './random.js'

/** Sunday first: most people look at homes at the weekend. */
const WEEK = [1.5, 0.8, 0.8, 0.9, 0.9, 1.1, 1.6] as const

/** One visitor of a microsite, and how far they came: the widget was shown, a chat begun, a lead left. */
export interface Visit {
  id: string
  at: Date
  started: boolean
  left: 'nothing' | 'a chat' | 'a lead'
  /** What the widget submits, without the marks of the demonstration. */
  submission: {
    phone?: string
    bhkType: string
    name: string
    city: string
    conversation: { id: string; type: string; text: string; timestamp: number }[]
  }
  /** What became of the lead. */
  followUp?: { status: 'contacted' | 'qualified' | 'closed'; note: string }
}

/**
 * The visits of a microsite on one day, in their order. Some people come again with the same phone, and some give one
 * that is none.
 *
 * @param dayStart the UTC day; visits after `until` do not happen.
 */
export function visitsOf(site: Site, seed: number, dayStart: Date, until: Date): Visit[] {
  const day = dayStart.toISOString().slice(0, 10)
  const random = randomFrom(`${seed} ${site.name} ${day}`)
  const expected = site.visitsADay * (WEEK[dayStart.getUTCDay()] ?? 1)
  const count = Math.round(expected * (0.75 + random.share() / 2))
  return Array.from({ length: count }, (_, i) =>
    visitOf(`demo-${seed}-${site.name}-${day}-${i}`, dayStart, random),
  )
    .filter(({ at }) => at <= until)
    .sort((a, b) => a.at.getTime() - b.at.getTime())
}

function visitOf(id: string, dayStart: Date, random: Random): Visit {
  // From half past six in the morning to midnight, in India.
  const at = new Date(dayStart.getTime() + random.between(60, 18 * 60) * 60_000 + random.between(0, 59_999))
  const started = random.chance(0.45)
  const left = !started
    ? 'nothing'
    : random.chance(0.25)
      ? 'a lead'
      : random.chance(0.3)
        ? 'a chat'
        : 'nothing'
  const name = `${random.pick(FIRST_NAMES)} ${random.pick(LAST_NAMES)}`
  // A thousand people at most: a few of them come back.
  const phone = random.chance(0.04) ? '12345' : `98${String(45_000_000 + random.between(0, 999) * 37)}`
  const bhkType = random.pick([
    '1 BHK',
    '2 BHK',
    '2 BHK',
    '3 BHK',
    '3 BHK',
    '4 BHK',
    'Just Browsing',
    'Yet to decide',
  ])
  const city = random.pick(['Mumbai', 'Pune', 'Bengaluru', 'Hyderabad', 'Chennai', 'Delhi'])
  const followUp = random.chance(0.5)
    ? {
        status: random.pick(['contacted', 'contacted', 'qualified', 'closed'] as const),
        note: random.pick([
          'Called back, sends documents.',
          'Visit on Saturday.',
          'Asked for the price list.',
        ]),
      }
    : undefined
  return {
    id,
    at,
    started,
    left,
    submission: {
      ...(left === 'a lead' && { phone }),
      bhkType,
      name,
      city,
      conversation: conversationOf(id, at, bhkType, random),
    },
    ...(followUp && { followUp }),
  }
}

function conversationOf(id: string, at: Date, bhkType: string, random: Random) {
  const first = random.between(0, CHAT_LINES.length - 1)
  const asked = Array.from(
    { length: random.between(1, 3) },
    (_, i) => CHAT_LINES[(first + i) % CHAT_LINES.length],
  )
  const texts = [
    { type: 'bot', text: 'Which home are you looking for?' },
    { type: 'user', text: bhkType },
    ...asked.flatMap(line =>
      line
        ? [
            { type: 'user', text: line[0] },
            { type: 'bot', text: line[1] },
          ]
        : [],
    ),
  ]
  return texts.map((message, i) => ({ id: `${id}-m${i}`, ...message, timestamp: at.getTime() + i * 9_000 }))
}

/** The start of each UTC day that a demonstration shows, oldest first. */
export function daysUntil(madeAt: Date, days: number): Date[] {
  const today = Math.floor(madeAt.getTime() / DAY_MS) * DAY_MS
  return Array.from({ length: days }, (_, i) => new Date(today - (days - 1 - i) * DAY_MS))
}
