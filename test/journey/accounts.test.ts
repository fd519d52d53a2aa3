import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { PublicProfile } from '../../lib/domain/accounts/account-profiles.js'
import type { PublicUser } from '../../lib/domain/accounts/users.js'
import { type DevProcess, startDev } from '../scripts/support/dev-process.js'
import { runScript } from '../scripts/support/run-script.js'
import type { Wire } from '../support/fixtures/wire.js'

const ROOT = join(import.meta.dirname, '..', '..')
const NUMBERS = join(ROOT, 'test', 'scripts', 'fixtures', 'numbers.csv')

/** On a noisy machine a server may take seconds to start. */
const PATIENCE = { timeout: 180_000 }

interface Answer {
  success: boolean
  code?: string
  message?: string
  user: Wire<PublicUser>
  token: string
  refreshToken: string
  data: Wire<PublicProfile> & { voiceModel: string }
}

/** What `npm run dev` starts, over a data directory that the test removes, and how clients and scripts reach it. */
async function startDeployment() {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-journey-'))
  let server: DevProcess | undefined
  onTestFinished(async () => {
    await server?.end('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  // Set and empty, so that a developer's `.env` says nothing; `file` refuses a database that is named nevertheless.
  const unset = Object.fromEntries(
    ['MONGO_URI', 'MONGODB_URI', 'APP_URL', 'AUTH_SECRET', 'SMTP_URL', 'RATE_LIMIT_SCALE'].map(name => [
      name,
      '',
    ]),
  )
  const variables = {
    ...unset,
    DATA_STORE: 'file',
    DATA_DIRECTORY: directory,
    LOG_LEVEL: 'error',
    BCRYPT_COST: '4',
  }
  server = await startDev(ROOT, { ...variables, AUTH_STRICT_SIGNUP: 'false' })
  const { url } = server

  async function send(
    method: string,
    path: string,
    { token, body }: { token?: string; body?: unknown } = {},
  ) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Answer }
  }

  const outbox = join(directory, 'outbox')
  let read = 0
  /** The next mail that was written, oldest first. */
  async function nextMail(): Promise<string> {
    const name = await vi.waitFor(
      () => {
        const names = readdirSync(outbox)
          .filter(file => file.endsWith('.eml'))
          .sort()
        const next = names[read]
        if (next === undefined) throw new Error(`no mail after ${read}`)
        return next
      },
      { timeout: 60_000, interval: 50 },
    )
    read += 1
    return readFileSync(join(outbox, name), 'utf8')
  }

  /** Opens the link of a mail as its reader does, without pressing the button, and takes the token out of it. */
  async function openLink(mail: string): Promise<string> {
    const link = new URL(/https?:\/\/\S+/.exec(mail)?.[0] ?? '')
    expect(link.origin).toBe(url)
    expect(link.search).toBe('')
    const page = await fetch(link)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('text/html')
    return new URLSearchParams(link.hash.slice(1)).get('token') ?? ''
  }

  return {
    directory,
    nextMail,
    openLink,
    get: (path: string, token: string) => send('GET', path, { token }),
    post: (path: string, body?: unknown, token?: string) =>
      send('POST', path, { body, ...(token !== undefined && { token }) }),
    put: (path: string, body: unknown, token: string) => send('PUT', path, { body, token }),
  }
}

it('from sign-up to a phone number, and out again', PATIENCE, async () => {
  const { directory, nextMail, openLink, get, post, put } = await startDeployment()
  const email = 'asha@example.com'
  const statusOf = async (token: string) => (await get('/api/auth/me', token)).status
  const logIn = async (password: string) => (await post('/api/auth/login', { email, password })).body

  // Register, and prove the address with the mail.
  const registered = await post('/api/auth/register', { email, password: 'correct horse', name: 'Asha' })
  expect(registered).toMatchObject({ status: 201, body: { user: { email, emailVerified: false } } })
  const verification = await nextMail()
  expect(verification).toContain(`To: ${email}\r\n`)
  const proof = { token: await openLink(verification) }
  expect((await get('/api/auth/me', registered.body.token)).body.data).toMatchObject({ emailVerified: false })
  expect((await post('/api/auth/verify-email', proof)).status).toBe(200)
  expect((await post('/api/auth/verify-email', proof)).status).toBe(400)
  expect((await get('/api/auth/me', registered.body.token)).body.data).toMatchObject({ emailVerified: true })

  // Set up the agent, with a number that an operator puts into the inventory beside the running server.
  const first = await logIn('correct horse')
  expect((await put('/api/user/preferences', { voiceModel: 'nova' }, first.token)).body.data.voiceModel).toBe(
    'nova',
  )
  expect((await post('/api/user/assign-phone', {}, first.token)).status).toBe(409)
  const imported = await runScript('phone-numbers', ['import', NUMBERS, '--apply'], {
    env: { DATA_DIRECTORY: directory },
  })
  expect(imported.code, imported.told).toBe(0)
  const assigned = await post('/api/user/assign-phone', { phoneNumber: '080 4710 1231' }, first.token)
  expect(assigned.body.data.profile).toMatchObject({
    assignedPhoneNumber: '+918047101231',
    preferences: { voiceModel: 'nova' },
  })

  // A refresh token that is used twice ends its session, and no other.
  const { body: second } = await post('/api/auth/refresh', { refreshToken: first.refreshToken })
  expect(await statusOf(second.token)).toBe(200)
  expect((await post('/api/auth/refresh', { refreshToken: first.refreshToken })).status).toBe(401)
  expect((await post('/api/auth/refresh', { refreshToken: second.refreshToken })).status).toBe(401)
  expect([await statusOf(first.token), await statusOf(second.token)]).toEqual([401, 401])
  expect(await statusOf(registered.body.token)).toBe(200)

  // A forgotten password: nobody learns whose address it is, and the new password ends every session.
  const stranger = await post('/api/auth/forgot-password', { email: 'nobody@example.com' })
  const forgotten = await post('/api/auth/forgot-password', { email })
  expect(forgotten).toEqual({ ...stranger, status: 200 })
  const reset = { token: await openLink(await nextMail()), password: 'battery staple' }
  expect((await post('/api/auth/reset-password', reset)).status).toBe(200)
  expect((await post('/api/auth/reset-password', reset)).status).toBe(400)
  expect(await statusOf(registered.body.token)).toBe(401)
  expect((await post('/api/auth/refresh', { refreshToken: registered.body.refreshToken })).status).toBe(401)
  expect((await logIn('correct horse')).code).toBe('unauthenticated')
  expect(await nextMail()).toMatch(/^Subject: Your password was changed\r$/m)

  // Out everywhere.
  const [phone, laptop] = [await logIn('battery staple'), await logIn('battery staple')]
  expect((await get('/api/user/profile', laptop.token)).body.data.profile.assignedPhoneNumber).toBe(
    '+918047101231',
  )
  expect((await post('/api/auth/logout', { everywhere: true }, phone.token)).status).toBe(200)
  expect([await statusOf(phone.token), await statusOf(laptop.token)]).toEqual([401, 401])
  expect((await post('/api/auth/refresh', { refreshToken: laptop.refreshToken })).status).toBe(401)
  expect((await logIn('battery staple')).success).toBe(true)
})
