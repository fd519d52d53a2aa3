import { beforeAll, describe, expect, it } from 'vitest'
import { declaredVerbs } from '../support/declared-routes.js'
import { adminToken, call } from '../support/request.js'
import { attemptsAt } from './attempts.js'
import { type Vocabulary, vocabularyOf } from './vocabulary.js'
import { buildWorld, type World } from './world.js'

// A rule that takes a square of the time for twice the text (CWE-1333, and every loop in a loop) is found by what a
// text as long as a body may have costs this process in CPU, which does not count what else the machine does.

/** As long as fits into a body, beside what a route requires. */
const BODY_TEXT = 60_000

/** As long as fits into the request line that a server reads. */
const LINE_TEXT = 7_000

/** A linear rule takes some milliseconds; a square one a second and more, a fast machine a little less. */
const BOUND_MS = 400

const signs = ['a', '1', ' ', '.', '-', '@', '/', ',', ';', '=', '"', '<', '(', '+', ':', '\n', '0', '\u0301']
const pairs = [
  'a@',
  'a.',
  '1-',
  ' a',
  '. ',
  '\r\n',
  'A1',
  '@.',
  '::',
  '://',
  '<a',
  '&#',
  '%2',
  '+1 ',
  '\ud83d\udc4b',
]

/** Repetitions that end in what makes a rule go back over all of them. */
function attacks(length: number): string[] {
  return [...signs, ...pairs].map(unit => `${unit.repeat(length / unit.length)}\u0000`)
}

/** For each name what a request needs of it, and then every attack; but for those in the path, which has no room. */
function attacking(path: string, known: Vocabulary, length: number): Vocabulary {
  const texts = attacks(length)
  const projectId = 'redos'
  const wrapped: Record<string, (text: string) => unknown> = {
    conversation: text => [{ id: '1', type: 'user', text, timestamp: 1 }],
    metadata: text => ({ projectId, name: text, visitor: { page: text, utm: { source: text } } }),
    payload: text => ({ projectId, label: text }),
    propertyInfo: text => ({ location: text }),
    domains: text => [text],
  }
  return Object.fromEntries(
    Object.entries(known).map(([name, [first]]) => {
      const sent = path.includes(`:${name}`) ? [] : texts.map(wrapped[name] ?? (text => text))
      return [name, [first, ...sent]]
    }),
  )
}

let world: World
beforeAll(async () => {
  world = await buildWorld()
})

/** The CPU time that a task takes here, in milliseconds. */
async function costOf(task: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await task()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** What strangers may send a body to; and what searches. */
const open = declaredVerbs.filter(
  ({ declaration: { access, body } }) => body && (access === 'public' || access === 'anyone'),
)
const searching = declaredVerbs.filter(({ declaration: { query } }) => query)

describe.each(open)('$name', declared => {
  it('takes no longer for a long text than it is long', async () => {
    const known = attacking(declared.path, vocabularyOf(world), BODY_TEXT)
    let sent = 0
    for (const { path, body, says } of attemptsAt(declared, known, {})) {
      const cost = await costOf(() => call(declared.route, declared.verb, path, { body }))
      expect(cost, says.slice(0, 60)).toBeLessThan(BOUND_MS)
      sent += 1
    }
    if (declared.path !== '/api/billing/webhook') expect(sent).toBeGreaterThan(signs.length)
  })
})

describe.each(searching)('$name', declared => {
  it('takes no longer for a long query than it is long', async () => {
    const token = declared.declaration.access === 'user' ? world.victim.user.token : adminToken()
    const known = attacking(declared.path, vocabularyOf(world), LINE_TEXT)
    for (const { path, says } of attemptsAt(declared, known, {})) {
      const cost = await costOf(() => call(declared.route, declared.verb, path, { token }))
      expect(cost, says.slice(0, 60)).toBeLessThan(BOUND_MS)
    }
  })
})
