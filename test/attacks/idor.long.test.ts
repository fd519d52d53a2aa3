import { ObjectId } from 'mongodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Access, Scope } from '../../lib/auth/caller.js'
import { createApiKey, Scope as ScopeSchema } from '../../lib/domain/accounts/api-keys.js'
import { allCollections } from '../../lib/domain/registry.js'
import { startStripe } from '../api/billing/billing-api.js'
import { type DeclaredVerb, declaredVerbs } from '../support/declared-routes.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { EVERY_FEATURE } from '../support/fixtures/environment.js'
import { type Answer, adminToken, call } from '../support/request.js'
import { type Attempt, attemptsAt, unknownNames } from './attempts.js'
import { canariesIn } from './canaries.js'
import type { Party } from './party.js'
import { additionsNaming, changesOf, type Snapshot, said, takeSnapshot } from './snapshot.js'
import { BY_DESIGN, claimsOf, vocabularyOf } from './vocabulary.js'
import { buildWorld, type World } from './world.js'

/** What is stored under hashes, or of no account that is there: nothing of the victim is in it. */
const OF_NOBODY = [
  'erasures',
  'eventpairs',
  'loginfailures',
  'maintenance',
  'migrations',
  'ratelimits',
  'recountdays',
  'stripeevents',
]

/** Where nobody here gets through, since each request has Stripe's signature, or no party ever paid for anything. */
const CLOSED = ['POST /api/billing/webhook', 'POST /api/billing/portal']

const { stripe, environment } = await startStripe()
Object.assign(process.env, EVERY_FEATURE, environment)
afterAll(() => stripe.close())

type Headers = Readonly<Record<string, string>>

/** Everybody who has no business with the victim's things, with what a request of theirs carries. */
const outsiders = {
  nobody: () => ({}),
  'an old widget with a key of its own': () => bearer('widget-key-123'),
  'another owner': ({ attacker }: World) => attacker.user.headers,
  'a key of another owner': ({ attacker }: World) => ({ 'x-api-key': attacker.key.secret }),
  'a key of another owner, for the microsite': ({ attacker, victim }: World) =>
    keyOf({ microsites: [victim.microsite, victim.projectId] }, attacker),
  'a key of the deployment for another owner': ({ attacker }: World) => keyOf({ userIds: [attacker.userId] }),
  'a key of the deployment for another microsite': ({ attacker }: World) =>
    keyOf({ microsites: [attacker.microsite, attacker.projectId] }),
  'the cron': () => bearer(EVERY_FEATURE.CRON_SECRET),
} satisfies Record<string, (world: World) => Headers | Promise<Headers>>

type Outsider = keyof typeof outsiders
const OUTSIDERS = Object.keys(outsiders) as Outsider[]

/** Who gets past the door (test/auth/access.test.ts proves that); the others knock once. */
function mayEnter(outsider: Outsider, access: Access, scope: Scope | undefined): boolean {
  const [isUser, isKey] = [outsider === 'another owner', /\bkey of (another|the)\b/.test(outsider)]
  switch (access) {
    // Credentials are not looked at: one with them is as good as all.
    case 'public':
      return outsider === 'nobody' || isUser
    case 'anyone':
      return true
    case 'operator':
      return isUser || (isKey && scope !== undefined)
    case 'service':
      return outsider.startsWith('a key of the deployment') && scope !== undefined
    case 'cron':
      return outsider === 'the cron'
    case 'admin':
      return false
    case 'user':
    case 'account':
      return isUser
  }
}

let world: World
/** The victim's documents, and the ids in them that no answer may have unless its request did. */
let victims: { documents: ReadonlySet<string>; ids: readonly string[]; stored: Snapshot }

async function begin(): Promise<void> {
  world = await buildWorld()
  const stored = await takeSnapshot()
  const { userId, phoneNumber, openIds } = world.victim
  const names = ['victim', userId, phoneNumber]
  const own = [...stored].filter(([, { document }]) => names.some(name => said(document).includes(name)))
  const found = own.flatMap(([, { document }]) => said(document).match(/(?<="\$oid":")[0-9a-f]{24}/g) ?? [])
  const ids = [...new Set(found)].filter(id => !openIds.includes(id))
  victims = { documents: new Set(own.map(([key]) => key)), ids, stored }
}

trackBackgroundTasks()

describe('the sweep', () => {
  beforeAll(begin)

  it('knows what to send for every parameter and field of every route', () => {
    const missing = declaredVerbs.flatMap(declared => unknownNames(declared, vocabularyOf(world)))

    expect(missing, 'Say in test/attacks/vocabulary.ts what the victim has of these names').toEqual([])
  })

  it('has a document of the victim in every collection', () => {
    const held = new Set([...victims.documents].map(key => victims.stored.get(key)?.collection))
    const missing = allCollections.map(({ name }) => name).filter(name => !held.has(name))

    expect(missing, 'Have test/attacks/party.ts store one of the victim in each of these').toEqual(OF_NOBODY)
  })

  it('makes exceptions only for routes that there are', () => {
    const names = declaredVerbs.map(({ name }) => name)

    expect(Object.keys(BY_DESIGN).filter(name => !names.includes(name))).toEqual([])
  })
})

describe.each(declaredVerbs)('$name', declared => {
  const { access, scope } = declared.declaration
  beforeEach(begin)

  it('shows and changes nothing of somebody else', async () => {
    const attempts = attemptsAt(declared, vocabularyOf(world), claimsOf(world))
    let before = victims.stored
    let getsThrough = false
    for (const outsider of OUTSIDERS) {
      const headers = await outsiders[outsider](world)
      for (const attempt of mayEnter(outsider, access, scope) ? attempts : attempts.slice(0, 1)) {
        const answer = await send(declared, attempt, headers)
        const what = `${outsider}: ${attempt.path} with ${attempt.says} is a ${answer.status}`
        expect(shownBy(answer, attempt), `${what} and shows`).toEqual([])
        expect(answer.status < 500 || answer.status === 501, what).toBe(true)
        getsThrough ||= answer.status < 300
      }
      await backgroundTasksDone()
      const after = await takeSnapshot()
      expect(forbidden(declared.name, outsider, before, after), `${outsider} changed`).toEqual([])
      before = after
    }
    // Else nothing was tried: the same requests are good enough for whom the route is for.
    for (const headers of [world.victim.user.headers, bearer(adminToken())])
      for (const attempt of getsThrough ? [] : attempts)
        getsThrough ||= (await send(declared, attempt, headers)).status < 300
    const expected = !CLOSED.includes(declared.name)
    expect(getsThrough, 'No attempt gets through for anybody: see test/attacks/vocabulary.ts').toBe(expected)
  })
})

/** Where "not yours" must be the same answer as "not there"; the rest is public, or an admin's. */
const ofSomebody = declaredVerbs.filter(
  ({ declaration: { access, params } }) => params && ['user', 'account', 'operator'].includes(access),
)

describe.each(ofSomebody)('$name', declared => {
  beforeAll(begin)

  it('says of what is somebody else’s what it says of what there is not', async () => {
    for (const attempt of attemptsAt(declared, vocabularyOf(world), {})) {
      const nobodys = { ...attempt, path: attempt.path.replace(attempt.named, unlike) }
      const [theirs, none] = await Promise.all([attempt, nobodys].map(sayTo(declared, world.attacker)))
      expect(theirs, attempt.says).toEqual(none)
    }
  })
})

function send(
  { verb, route }: DeclaredVerb,
  { path, body }: Attempt,
  headers: Headers,
): Promise<Answer<unknown>> {
  return call(route, verb, path, { headers, ...(body !== undefined && { body }) })
}

/** What a party is told, without what differs between any two answers. */
function sayTo(declared: DeclaredVerb, { user }: Party) {
  return async (attempt: Attempt) => {
    const { status, body } = await send(declared, attempt, user.headers)
    return { status, ...(body as object), requestId: undefined }
  }
}

/** Another value of the same form, which nobody has. */
function unlike(value: string): string {
  return /^[0-9a-f]{24}$/.test(value) ? new ObjectId().toHexString() : `not-${value}`
}

/** What of the victim is in an answer that was not in its request. */
function shownBy({ text, headers }: Answer<unknown>, attempt: Attempt): string[] {
  const answered = text + JSON.stringify([...headers])
  const asked = JSON.stringify(attempt)
  return [...canariesIn(answered), ...victims.ids.filter(id => answered.includes(id) && !asked.includes(id))]
}

/** What a sweep did to the victim beyond what the route is for. */
function forbidden(name: string, outsider: Outsider, before: Snapshot, after: Snapshot): string[] {
  const byDesign = BY_DESIGN[name]
  const applies = byDesign && (byDesign.by?.includes(outsider) ?? true)
  const { changes = [], adds = [] } = applies ? byDesign : {}
  const { userId, email } = world.victim
  return [
    ...changesOf(victims.documents, before, after).filter(change => !changes.includes(change)),
    ...additionsNaming([userId, email], before, after).filter(added => !adds.includes(added)),
  ]
}

function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` }
}

async function keyOf(limits: { userIds?: string[]; microsites?: string[] }, owner?: Party): Promise<Headers> {
  const input = { scopes: [...ScopeSchema.options], ...limits }
  return { 'x-api-key': (await createApiKey(input, owner?.user.user._id, new Date())).key }
}
