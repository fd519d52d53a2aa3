import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { users } from '../../lib/domain/accounts/users.js'
import { startStripe } from '../api/billing/billing-api.js'
import { type DeclaredVerb, declaredVerbs } from '../support/declared-routes.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { type Answer, adminToken, call } from '../support/request.js'
import { signIn } from '../support/users.js'
import { hostileFreeForm } from './hostile.js'
import { type FuzzedRequest, requestsTo } from './requests.js'
import { takeSnapshot } from './snapshot.js'
import { judgeOf } from './soundness.js'
import { type Vocabulary, vocabularyOf } from './vocabulary.js'
import { buildWorld, type World } from './world.js'

const { stripe, environment } = await startStripe()
Object.assign(process.env, environment, { CRON_SECRET: 'cron-secret-of-the-tests', LOG_LEVEL: 'info' })
afterAll(() => stripe.close())

/** The same in every run, so that a run which passed passes again; the soak goes where none has been. */
const SEED = Number(process.env.TEST_FUZZ_SEED ?? (process.env.SOAK ? Date.now() % 2 ** 31 : 7))

/** Sent at once. */
const BATCH = 8

/** For any answer at all, on a machine that does other things as well. */
const PATIENCE_MS = 20_000

/** Where nothing gets through that is made here: it would have to be signed by Stripe, or have been paid for. */
const CLOSED = ['POST /api/billing/webhook', 'POST /api/billing/portal']

trackBackgroundTasks()

let world: World
let lines: string[]

beforeEach(async () => {
  world = await buildWorld()
  lines = []
  const print = (line: string) => void lines.push(line)
  vi.spyOn(console, 'log').mockImplementation(print)
  vi.spyOn(console, 'error').mockImplementation(print)
})

type Headers = Readonly<Record<string, string>>

/** Who sends a request: mostly whom the route is for, so that it gets past the door. */
const senders = {
  owner: () => world.victim.user.headers,
  admin: () => ({ authorization: `Bearer ${adminToken()}` }),
  key: () => ({ 'x-api-key': world.victim.key.secret }),
  cron: () => ({ authorization: 'Bearer cron-secret-of-the-tests' }),
  nobody: () => ({}),
} satisfies Record<string, () => Headers>

type Sender = keyof typeof senders

interface Fuzzed {
  sender: Sender
  request: FuzzedRequest
}

function sendersTo({ declaration: { access, scope } }: DeclaredVerb): fc.Arbitrary<Sender> {
  const meant = {
    public: ['nobody'],
    anyone: ['owner', 'nobody'],
    user: ['owner'],
    account: ['owner', 'admin'],
    operator: ['owner', 'admin', ...(scope ? ['key'] : [])],
    service: ['admin'],
    admin: ['admin'],
    cron: ['cron'],
  }[access] as Sender[]
  const anybody = Object.keys(senders) as Sender[]
  return fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...meant) },
    { weight: 1, arbitrary: fc.constantFrom(...anybody) },
  )
}

/** Names of the victim's things, the secrets that only the victim can know, and what free-form fields may hold. */
function knownTo({ victim, ...others }: World): Vocabulary {
  const known = vocabularyOf({ victim, ...others })
  const freeForm = Object.entries(hostileFreeForm).map(
    ([name, values]) => [name, [...(known[name] ?? []), ...values]] as const,
  )
  return {
    ...known,
    ...Object.fromEntries(freeForm),
    password: [victim.user.password],
    refreshToken: [victim.user.refreshToken],
  }
}

/** Sent to all routes together by the long tests. */
export const LONG_RUN = process.env.SOAK ? 200_000 : 20_000

/**
 * Declares a test for each of these routes, which sends it its share of so many requests to all of them, made of the
 * route's own schemas. A failure prints the seed that `TEST_FUZZ_SEED` takes to repeat it.
 */
export function fuzz(routes: readonly DeclaredVerb[], requestsToAll: number): void {
  const batches = Math.ceil(requestsToAll / declaredVerbs.length / BATCH)

  describe.each(routes)('$name', declared => {
    it('stands whatever is sent', { timeout: 1_800_000 }, async () => {
      const judge = judgeOf(declared)
      const request = fc.record({
        sender: sendersTo(declared),
        request: requestsTo(declared, knownTo(world)),
      })
      const batch = fc.array(request, { minLength: BATCH, maxLength: BATCH })
      let successes = 0

      const sendAll = async (sent: readonly Fuzzed[]) => {
        lines = []
        const answers = await Promise.all(
          sent.map(({ sender, request }) => send(declared, request, senders[sender]())),
        )
        await backgroundTasksDone()
        for (const [i, answer] of answers.entries()) {
          const { sender, request } = sent[i] as Fuzzed
          const problem = answer === undefined ? 'is not answered' : judge(request.method, answer)
          expect(
            problem,
            `${sender}: ${JSON.stringify(request).slice(0, 2_000)} is a ${answer?.status}`,
          ).toBeUndefined()
        }
        successes += answers.filter(
          (answer, i) => sent[i]?.request.method === declared.verb && (answer?.status ?? 500) < 300,
        ).length
        expect(Object.keys(Object.prototype)).toEqual([])
        expectSoundLog(sent.length)
        if (answers.some(answer => answer?.status === 401)) await letOwnerIn()
      }
      const { failed, seed, counterexamplePath, errorInstance } = await fc.check(
        fc.asyncProperty(batch, sendAll),
        { seed: SEED, numRuns: batches },
      )
      // What fast-check says itself quotes every body, which may have half a megabyte.
      if (failed) throw new Error(`TEST_FUZZ_SEED=${seed} (${counterexamplePath})`, { cause: errorInstance })

      expect(await hostileKeysStored(), 'stored').toEqual([])
      // Else nothing but refusals was tried.
      if (!CLOSED.includes(declared.name)) expect(successes).toBeGreaterThan(0)
    })
  })
}

async function send(
  { route }: DeclaredVerb,
  { method, path, headers, body }: FuzzedRequest,
  credentials: Headers,
): Promise<Answer<unknown> | undefined> {
  const patience = new AbortController()
  const late = delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined)
  try {
    const sent = body === undefined ? {} : { body }
    return await Promise.race([
      call(route, method, path, { headers: { ...credentials, ...headers }, ...sent }),
      late,
    ])
  } finally {
    patience.abort()
  }
}

/** A line of JSON for each request, and none that says that something failed. */
function expectSoundLog(requests: number): void {
  const entries = lines
    .filter(line => !line.startsWith('mail to '))
    .map(line => JSON.parse(line) as { level: string; background?: true })
  for (const line of lines) expect(line).not.toMatch(/[\r\n]/)
  expect(entries.filter(({ level }) => level === 'error')).toEqual([])
  expect(entries).toHaveLength(requests)
}

/** Some requests end the sessions of their sender, or even the account. */
async function letOwnerIn(): Promise<void> {
  const { victim } = world
  const user = await (await users.open()).findOne({ _id: victim.user.user._id, status: 'active' })
  if (user === null) world = await buildWorld()
  else world = { ...world, victim: { ...victim, user: await signIn(user, victim.user.password) } }
}

/** Keys in stored documents that would be operators, paths or prototypes to who reads them. */
async function hostileKeysStored(): Promise<string[]> {
  const found = [...(await takeSnapshot()).values()].flatMap(({ collection, document }) =>
    keysIn(document)
      .filter(key => /^\$|[.\0]|^(__proto__|constructor|prototype)$/.test(key))
      .map(key => `${collection}: ${key}`),
  )
  return [...new Set(found)]
}

function keysIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysIn)
  if (typeof value !== 'object' || value === null || '_bsontype' in value) return []
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysIn(inner)])
}
