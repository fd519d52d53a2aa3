import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readEnv } from '../../lib/env.js'
import type { Check } from '../../scripts/doctor/check.js'
import { checkClock } from '../../scripts/doctor/database.js'
import { checkBilling, checkEnvironment, checkMail, checkOrigins } from '../../scripts/doctor/environment.js'
import { checkSecrets, entropyBits } from '../../scripts/doctor/secrets.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { makeTestProject } from './support/project.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const SECRETS = {
  ADMIN_TOKEN: '7d1f0c9be2a84563f0b1c2d3e4958677a8b9cadbecfd0e1f',
  AUTH_SECRET: 'c0ffee1e5d2c4b3a968778695a4b3c2d1e0f1f2e3d4c5b6a',
  CRON_SECRET: '9a8b7c6d5e4f30213243546576879809fedcba0123456798',
}

const { uri } = testDatabase()

async function diagnose(env: Record<string, string>, args: string[] = [], cwd?: string) {
  const { code, output, told } = await runScript('doctor', [...args, '--json'], { env, ...(cwd && { cwd }) })
  const { checks } = JSON.parse(output) as { ok: boolean; checks: Check[] }
  return {
    code,
    told,
    output,
    lines: checks.map(({ state, name, message }) => `${state} ${name}: ${message}`),
  }
}

describe('a deployment', () => {
  beforeEach(() => emptyDatabase())

  it('that is well has no failure, and none of its secrets is printed', PATIENCE, async () => {
    const { code, output, told, lines } = await diagnose({ MONGO_URI: uri, ...SECRETS })

    expect(lines.filter(line => line.startsWith('failure'))).toEqual([])
    expect(code).toBe(0)
    for (const pattern of [
      /^ok connection: /,
      /^ok server: MongoDB \d/,
      /^ok latency|^warning latency/,
      /^ok clock: /,
      /^ok ADMIN_TOKEN: 48 characters, about \d+ bits$/,
      /^warning maintenance: has not run yet$/,
    ])
      expect(lines).toContainEqual(expect.stringMatching(pattern))
    for (const secret of Object.values(SECRETS)) expect(output + told).not.toContain(secret)
  })

  it('whose indexes differ fails, and is left as it is', PATIENCE, async () => {
    const users = testDatabase().db.collection('users')
    await users.dropIndex('email')
    await users.createIndex({ email: 1 }, { name: 'email' })

    try {
      const { code, told, lines } = await diagnose({ MONGO_URI: uri, ...SECRETS })

      expect(code).toBe(1)
      expect(told).toContain('npm run doctor --: 1 failure')
      expect(lines).toContain('failure indexes: users.email is not as declared')
      expect((await users.indexes()).find(({ name }) => name === 'email')?.unique).toBeUndefined()
    } finally {
      await users.dropIndex('email')
      await users.createIndex({ email: 1 }, { name: 'email', unique: true })
    }
  })

  it('that cannot be reached says so, without credentials', PATIENCE, async () => {
    const { code, output, told, lines } = await diagnose({
      MONGO_URI: 'mongodb://operator:hidden@127.0.0.1:1/prod',
      ...SECRETS,
    })

    expect(code).toBe(1)
    expect(lines).toContainEqual(
      expect.stringMatching(/^failure database: prod on 127\.0\.0\.1:1 cannot be reached/),
    )
    expect(output + told).not.toMatch(/hidden|operator/)
  })

  it('without a database is looked at all the same, and none is made', PATIENCE, async () => {
    const { root } = makeTestProject({ '.env': 'LOG_LEVEL=info' })

    const { code, lines } = await diagnose(SECRETS, [], root)

    expect(code).toBe(0)
    expect(lines).toContain('warning database: there is none yet')
    expect(existsSync(join(root, '.data'))).toBe(false)
  })

  it('with a wrong environment is told every problem, and no value', PATIENCE, async () => {
    const { code, output, lines } = await diagnose({
      MONGO_URI: 'postgres://operator:hidden@db',
      APP_URL: 'nowhere',
      AUTH_SECRET: 'hidden',
    })

    expect(code).toBe(1)
    expect(lines.filter(line => line.startsWith('failure environment'))).toHaveLength(3)
    expect(lines).toContain('warning database: was not looked at')
    expect(output).not.toMatch(/hidden|operator|nowhere/)
  })
})

describe('with --connect', () => {
  it('the mail server is greeted, and sent nothing', PATIENCE, async () => {
    let mails = 0
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: () => void mails++,
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
    const { port } = server.server.address() as { port: number }

    const [there, away] = await Promise.all([
      diagnose({ MONGO_URI: uri, SMTP_URL: `smtp://127.0.0.1:${port}` }, ['--connect']),
      diagnose({ MONGO_URI: uri, SMTP_URL: 'smtp://127.0.0.1:1' }, ['--connect']),
    ])

    expect(there.lines).toContain('ok SMTP: the server lets us in')
    expect(away.lines).toContainEqual(expect.stringMatching(/^failure SMTP: the server does not let us in: /))
    expect(mails).toBe(0)
  })
})

const states = (checks: Check[]) => checks.map(({ name, state }) => `${name} ${state}`)

describe('a secret', () => {
  it.each([
    ['7d1f0c9be2a84563f0b1c2d3e4958677a8b9cadbecfd0e1f', 'ok'],
    ['abababababababababababababababababab', 'failure'],
    ['my-very-own-Password-of-2026-for-leads!', 'warning'],
    ['aabbccddaabbccddaabbccddaabbccddaabbcc0', 'warning'],
  ])('%s is %s', (value, state) => {
    expect(states(checkSecrets({ AUTH_SECRET: value }))).toEqual([`AUTH_SECRET ${state}`])
  })

  it('must not be another one’s too', () => {
    const { ADMIN_TOKEN } = SECRETS

    expect(states(checkSecrets({ ADMIN_TOKEN, CRON_SECRET: ADMIN_TOKEN }))).toEqual([
      'ADMIN_TOKEN failure',
      'CRON_SECRET failure',
    ])
    expect(checkSecrets({ CRON_SECRET: ' ' })).toEqual([])
  })

  it('has as many bits as its characters vary', () => {
    expect(entropyBits('aaaaaaaa')).toBe(0)
    expect(entropyBits('abcdefgh')).toBe(24)
  })
})

describe('the environment', () => {
  const production = { VERCEL_ENV: 'production', MONGO_URI: uri, ...SECRETS }

  it.each([
    [{ SMTP_URL: 'smtps://user:password@smtp.example.com' }, 'SMTP_URL failure'],
    [{ APP_URL: 'https://app.example.com' }, 'APP_URL failure'],
  ])('%j has the value of an example', (variables, line) => {
    expect(states(checkEnvironment(readEnv(variables), variables))).toContain(line)
  })

  it('lacks no secret where npm run dev makes them, and does where the database is a deployment’s', () => {
    const warned = (variables: Record<string, string>) =>
      checkEnvironment(readEnv(variables), variables).flatMap(({ state, message }) =>
        state === 'warning' ? [message] : [],
      )

    expect(warned({})).toEqual([])
    expect(warned({ RATE_LIMIT_SCALE: '2' })).toEqual(['RATE_LIMIT_SCALE is set'])
    expect(warned({ MONGO_URI: uri })).toEqual([
      'ADMIN_TOKEN is not set',
      'CRON_SECRET is not set',
      'AUTH_SECRET is not set',
    ])
  })

  it('of production has links that lead somewhere, and sends mail', () => {
    const bare = readEnv(production)
    const whole = readEnv({ ...production, APP_URL: 'https://a.org', SMTP_URL: 'smtps://mail.a.org' })

    expect([...states(checkOrigins(bare)), ...states(checkMail(bare))]).toEqual([
      'origins failure',
      'origins warning',
      'mail failure',
    ])
    expect([...states(checkOrigins(whole)), ...states(checkMail(whole))]).toEqual(['origins ok', 'mail ok'])
  })

  it.each([
    [{}, ['billing ok']],
    [
      { STRIPE_SECRET_KEY: 'sk_test_x' },
      ['billing warning', 'billing warning', 'billing warning', 'billing warning', 'webhook failure'],
    ],
    [
      {
        STRIPE_SECRET_KEY: 'sk_live_x',
        STRIPE_WEBHOOK_SECRET: 'whsec_x',
        STRIPE_PRICE_BASIC: 'price_1',
        STRIPE_PRICE_PREMIUM: 'price_2',
        STRIPE_PRICE_ENTERPRISE: 'price_3',
        APP_URL: 'https://a.org',
      },
      ['billing ok', 'webhook ok'],
    ],
  ])('of production with %j at Stripe', (variables, expected) => {
    expect(states(checkBilling(readEnv({ ...production, ...variables })))).toEqual(expected)
  })

  it.each([
    [500, 'ok'],
    [-5_000, 'warning'],
    [45_000, 'failure'],
  ])('with a clock that is %i ms off is %s', (skew, state) => {
    expect(checkClock(skew).state).toBe(state)
  })
})
