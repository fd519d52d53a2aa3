import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import profileRoute from '../../../api/user/profile.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { type Answer, type CallOptions, call } from '../../support/request.js'
import { createTestUser, TEST_PASSWORD, type TestUser } from '../../support/users.js'
import { type AuthApi, deployAuth, mailsTo } from './auth-api.js'

const OWN = 'https://leadline.example'
const LISTED = 'https://console.example'
process.env.APP_ORIGINS = LISTED

/** Pages that are not ours, however much some of them look like it. */
const FOREIGN = [
  'https://evil.example',
  'https://leadline.example.evil.example',
  'https://evil-leadline.example',
  'https://app.leadline.example',
  'https://leadline.example:444',
  'http://leadline.example',
  'null',
]

let api: AuthApi
let asha: TestUser

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(async () => {
  await emptyDatabase()
  asha = await createTestUser()
})

const cookieOf = (token: string) => ({ cookie: `theme=dark; __Host-leadline=${token}; other=1` })
const readMe = (headers: Record<string, string>) =>
  api.me({ headers: { ...cookieOf(asha.token), ...headers } })

/** The cookies that an answer sets, by name. */
function cookiesOf({ headers }: Answer<unknown>): Record<string, { value: string; attributes: string[] }> {
  return Object.fromEntries(
    headers.getSetCookie().map(line => {
      const [pair = '', ...attributes] = line.split('; ')
      const [name = '', value = ''] = pair.split('=')
      return [name, { value, attributes: attributes.sort() }]
    }),
  )
}

const signIn = (origin?: string) =>
  api.post(
    'auth/login',
    { email: asha.user.email, password: TEST_PASSWORD, session: 'cookie' },
    origin === undefined ? {} : { origin },
  )

const sessions = () => testDatabase().db.collection('refreshtokens').countDocuments()

describe('a read with our cookie', () => {
  it.each<[string, Record<string, string>]>([
    ['from our own page', { 'sec-fetch-site': 'same-origin' }],
    ['from our own page that says so', { origin: OWN, 'sec-fetch-site': 'same-origin' }],
    ['from a page of the list', { origin: LISTED, 'sec-fetch-site': 'cross-site' }],
    ['from an address bar', { 'sec-fetch-site': 'none' }],
    ['from a browser without fetch metadata', {}],
  ])('is the user’s: %s', async (_, headers) => {
    expect(await readMe(headers)).toMatchObject({ status: 200, body: { user: { email: asha.user.email } } })
  })

  it.each<[string, Record<string, string>]>([
    ...FOREIGN.map((origin): [string, Record<string, string>] => [origin, { origin }]),
    ['a link or an image elsewhere', { 'sec-fetch-site': 'cross-site' }],
    ['a page of a sibling host', { 'sec-fetch-site': 'same-site' }],
  ])('is nobody’s: %s', async (_, headers) => {
    const { status, text } = await readMe(headers)

    expect(status).toBe(401)
    expect(text).not.toContain(asha.user.email)
  })

  it('gives way to a header, also to one that is not valid', async () => {
    const ravi = await createTestUser()

    expect((await readMe(ravi.headers)).body.user.email).toBe(ravi.user.email)
    expect((await readMe({ authorization: 'Bearer widget-key' })).status).toBe(401)
  })

  it('takes no other cookie, and the token of no other place', async () => {
    const { token } = asha
    for (const cookie of [
      `leadline=${token}`,
      `x__Host-leadline=${token}`,
      `__Host-leadline =${token}`,
      token,
    ])
      expect((await api.me({ headers: { cookie } })).status, cookie).toBe(401)
    const refreshCookie = { cookie: `__Host-leadline=${asha.refreshToken}` }
    expect((await api.me({ headers: refreshCookie })).status).toBe(401)
  })
})

describe('a write with our cookie', () => {
  const rename = (options: CallOptions) =>
    call(profileRoute, 'PATCH', '/api/user/profile', {
      body: { name: 'Changed' },
      ...options,
      headers: { ...cookieOf(asha.token), ...options.headers },
    })
  const nameOfAsha = async () => (await readMe({})).body.user.name

  it.each([OWN, LISTED])('is done for a page of ours: %s', async origin => {
    expect((await rename({ origin })).status).toBe(200)
    expect(await nameOfAsha()).toBe('Changed')
  })

  it.each<[string, CallOptions]>([
    ...FOREIGN.map((origin): [string, CallOptions] => [origin, { origin }]),
    ['no origin', {}],
    ['no origin, though it says it is the same', { headers: { 'sec-fetch-site': 'same-origin' } }],
    ['a form, which needs no preflight', { origin: 'https://evil.example', body: '{"name":"Changed"}' }],
  ])('is refused and changes nothing: %s', async (_, options) => {
    expect(await rename(options)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    expect(await nameOfAsha()).toBeUndefined()
  })

  it('needs no page of ours where a header says who it is: that no page sends by itself', async () => {
    const options = { origin: 'https://evil.example', headers: { ...asha.headers, cookie: '' } }

    expect((await rename(options)).status).toBe(200)
  })

  it('is refused on a route for anyone too, before a mail is asked for', async () => {
    const options = { headers: cookieOf(asha.token), origin: 'https://evil.example' }

    expect((await api.post('auth/resend-verification', {}, options)).status).toBe(403)
    expect(await mailsTo(asha.user.email)).toEqual([])
  })

  it('does not log the user out from elsewhere', async () => {
    const headers = cookieOf(asha.token)

    expect(
      (await api.post('auth/logout', undefined, { headers, origin: 'https://evil.example' })).status,
    ).toBe(403)
    expect((await readMe({})).status).toBe(200)
  })
})

describe('a browser session', () => {
  it('is two cookies out of reach of scripts and other sites, and no token in the answer', async () => {
    const answer = await signIn(OWN)
    const cookies = cookiesOf(answer)

    expect(answer.status).toBe(200)
    expect(Object.keys(cookies).sort()).toEqual(['__Host-leadline', '__Host-leadline-refresh'])
    const guarded = ['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']
    expect(cookies['__Host-leadline']?.attributes).toEqual([...guarded, 'Max-Age=604800'].sort())
    expect(cookies['__Host-leadline-refresh']?.attributes).toEqual([...guarded, 'Max-Age=2592000'].sort())
    expect(answer.text).not.toMatch(/eyJ|llr_/)
    expect(answer.body).toMatchObject({ success: true, user: { email: asha.user.email }, expiresIn: 604_800 })

    const token = cookies['__Host-leadline']?.value ?? ''
    expect((await api.me({ headers: cookieOf(token) })).status).toBe(200)
  })

  it('lasts as long as its token', async () => {
    const wishes = { session: 'cookie', tokenLife: 'short' }
    const body = { email: asha.user.email, password: TEST_PASSWORD, ...wishes }
    const cookies = cookiesOf(await api.post('auth/login', body, { origin: OWN }))

    expect(cookies['__Host-leadline']?.attributes).toContain('Max-Age=900')
  })

  it('is given to who registers, too', async () => {
    const body = { email: 'new@example.com', password: 'a good password', session: 'cookie' }
    const answer = await api.post('auth/register', body, { origin: OWN })

    expect(answer.status).toBe(201)
    expect(Object.keys(cookiesOf(answer))).toHaveLength(2)
    expect(answer.text).not.toMatch(/eyJ|llr_/)
  })

  it.each([...FOREIGN, undefined])('is begun by no page but ours, and nothing is done: %s', async origin => {
    const before = await sessions()

    const refused = await signIn(origin)
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []])
    const body = { email: 'stranger@example.com', password: 'a good password', session: 'cookie' }
    const notMade = await api.post('auth/register', body, origin === undefined ? {} : { origin })
    expect([notMade.status, notMade.headers.getSetCookie()]).toEqual([403, []])

    expect(await sessions()).toBe(before)
    expect(await testDatabase().db.collection('users').countDocuments()).toBe(1)
    expect(await mailsTo('stranger@example.com')).toEqual([])
  })

  it('is begun by our page of another site with tokens only, since a browser would keep no cookies', async () => {
    const before = await sessions()
    const page = { origin: LISTED, headers: { 'sec-fetch-site': 'cross-site' } }
    const asked = { email: asha.user.email, password: TEST_PASSWORD }

    for (const path of ['auth/login', 'auth/register'] as const) {
      const refused = await api.post(path, { ...asked, session: 'cookie' }, page)
      expect(refused).toMatchObject({ status: 403, body: { message: expect.stringContaining('use tokens') } })
      expect(refused.headers.getSetCookie()).toEqual([])
    }
    expect(await sessions()).toBe(before)
    expect(await api.post('auth/login', asked, page)).toMatchObject({
      status: 200,
      body: { token: expect.any(String) },
    })
  })

  it.each(['same-site', 'same-origin'])('is begun by our page that a browser calls %s', async site => {
    const page = { origin: LISTED, headers: { 'sec-fetch-site': site } }
    const asked = { email: asha.user.email, password: TEST_PASSWORD, session: 'cookie' }

    expect(Object.keys(cookiesOf(await api.post('auth/login', asked, page)))).toHaveLength(2)
  })

  it('ends with its cookies', async () => {
    const headers = cookieOf(cookiesOf(await signIn(OWN))['__Host-leadline']?.value ?? '')
    const cookies = cookiesOf(await api.post('auth/logout', undefined, { headers, origin: OWN }))

    for (const name of ['__Host-leadline', '__Host-leadline-refresh']) {
      const guarded = ['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict', 'Secure']
      expect(cookies[name]).toEqual({ value: '', attributes: guarded })
    }
    expect((await api.me({ headers })).status).toBe(401)
  })
})

describe('a refresh of a browser session', () => {
  const refreshCookie = (refreshToken: string) => ({ cookie: `__Host-leadline-refresh=${refreshToken}` })
  const refresh = (refreshToken: string, origin?: string, body?: unknown) =>
    api.post('auth/refresh', body, {
      headers: refreshCookie(refreshToken),
      ...(origin !== undefined && { origin }),
    })

  it('rotates both cookies and shows no token', async () => {
    const answer = await refresh(asha.refreshToken, OWN)
    const cookies = cookiesOf(answer)

    expect(answer.status).toBe(200)
    expect(answer.text).not.toMatch(/eyJ|llr_/)
    expect(cookies['__Host-leadline']?.attributes).toContain('Max-Age=604800')
    // The session lives from now on as long as a new one, and its cookie with it.
    const session = await testDatabase().db.collection('refreshtokens').findOne()
    const lifeSeconds = Math.round((session?.expiresAt - Date.now()) / 60_000) * 60
    expect(cookies['__Host-leadline-refresh']?.attributes).toContain(`Max-Age=${lifeSeconds}`)
    const rotated = cookies['__Host-leadline-refresh']?.value ?? ''
    expect(rotated).not.toBe(asha.refreshToken)
    expect((await refresh(rotated, OWN)).status).toBe(200)
  })

  it.each([...FOREIGN, undefined])(
    'is not done for a page that is not ours, which ends nothing: %s',
    async origin => {
      const refused = await refresh(asha.refreshToken, origin)

      expect([refused.status, refused.headers.getSetCookie()]).toEqual([401, []])
      expect((await refresh(asha.refreshToken, OWN)).status).toBe(200)
    },
  )

  it('sets no cookie for a token in the body, whoever’s it is: a page cannot sign its visitor in', async () => {
    const attacker = await createTestUser()

    const answer = await refresh(asha.refreshToken, OWN, { refreshToken: attacker.refreshToken })

    expect(answer.headers.getSetCookie()).toEqual([])
    expect(answer.body.user.email).toBe(attacker.user.email)
    expect((await refresh(asha.refreshToken, OWN)).body.user.email).toBe(asha.user.email)
  })

  it('is not what a login continues: what was there before it is another’s session still', async () => {
    const attacker = await createTestUser()
    const planted = {
      cookie: `__Host-leadline=${attacker.token}; __Host-leadline-refresh=${attacker.refreshToken}`,
    }
    const body = { email: asha.user.email, password: TEST_PASSWORD, session: 'cookie' }

    const cookies = cookiesOf(await api.post('auth/login', body, { headers: planted, origin: OWN }))

    const own = cookies['__Host-leadline-refresh']?.value ?? ''
    expect(own.split('.')[0]).not.toBe(attacker.refreshToken.split('.')[0])
    expect((await refresh(attacker.refreshToken, OWN)).body.user.email).toBe(attacker.user.email)
    expect((await refresh(own, OWN)).body.user.email).toBe(asha.user.email)
  })

  it('takes no cookie that a sibling host could have planted', async () => {
    const headers = {
      cookie: `__Secure-leadline-refresh=${asha.refreshToken}; leadline-refresh=${asha.refreshToken}`,
    }

    expect((await api.post('auth/refresh', undefined, { headers, origin: OWN })).status).toBe(401)
  })
})
