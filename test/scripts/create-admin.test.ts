import { beforeEach, expect, it } from 'vitest'
import usersRoute from '../../api/admin/users/index.js'
import loginRoute from '../../api/auth/login.js'
import { findSessionUser } from '../../lib/domain/accounts/sessions.js'
import { users } from '../../lib/domain/accounts/users.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { createTestUser } from '../support/users.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const findByEmail = async (email: string) => (await users.open()).findOne({ email })

async function logIn(email: string, password: string) {
  const options = { body: { email, password } }
  return call<{ token: string }>(loginRoute, 'POST', '/api/auth/login', options)
}

beforeEach(() => emptyDatabase())

it('creates an admin who can log in, by a password that is piped in', PATIENCE, async () => {
  const args = ['--email', 'Root@Example.com', '--name', 'Root', '--password-stdin', '--apply']

  const { code, output, told } = await runScript('create-admin', args, { input: 'correct horse\nnot this\n' })

  expect({ code, output }).toEqual({ code: 0, output: '' })
  expect(told).toContain(`Writing to ${testDatabase().name} on `)
  expect(told).toContain('root@example.com is a new admin.')
  expect(told).not.toContain('correct horse')
  expect(await findByEmail('root@example.com')).toMatchObject({
    name: 'Root',
    role: 'admin',
    status: 'active',
  })
  const { status, body } = await logIn('root@example.com', 'correct horse')
  expect(status).toBe(200)
  expect((await call(usersRoute, 'GET', '/api/admin/users', { token: body.token })).status).toBe(200)
})

it('gives the role to an account that exists, and leaves its password', PATIENCE, async () => {
  const emailVerifiedAt = new Date()
  const { user, sessionId, password } = await createTestUser({ name: 'Asha', emailVerifiedAt })
  const suspended = await createTestUser({ status: 'suspended', emailVerifiedAt })

  const [made, stays] = await Promise.all([
    runScript('create-admin', ['--email', user.email, '--name', 'Other', '--apply']),
    runScript('create-admin', ['--email', suspended.user.email, '--apply']),
  ])

  expect([made.code, stays.code]).toEqual([0, 0])
  expect(made.told).toContain('has an account: it becomes an admin. Its password stays as it is.')
  expect(stays.told).toContain('it becomes an admin, and stays suspended.')
  expect(await findByEmail(user.email)).toMatchObject({
    name: 'Asha',
    role: 'admin',
    passwordHash: user.passwordHash,
  })
  expect(await findSessionUser(String(user._id), sessionId, 0, new Date())).toBeUndefined()
  expect((await logIn(user.email, password)).status).toBe(200)
  expect((await logIn(suspended.user.email, password)).status).toBe(401)
})

it('makes no admin of whoever registered the address before its owner', PATIENCE, async () => {
  const { user } = await createTestUser()

  const [applied, dry] = await Promise.all([
    runScript('create-admin', ['--email', user.email, '--apply', '--password-stdin'], {
      input: 'correct horse',
    }),
    runScript('create-admin', ['--email', user.email]),
  ])

  for (const { code, told } of [applied, dry]) {
    expect(code).toBe(1)
    expect(told).toContain('has an account whose address nobody proved')
  }
  expect(await findByEmail(user.email)).toEqual(user)
})

const ARGS = ['--email', 'a@example.com', '--apply']

it('creates nobody without a good password', PATIENCE, async () => {
  const attempts = await Promise.all([
    runScript('create-admin', [...ARGS, '--password-stdin'], { input: 'short' }),
    runScript('create-admin', ARGS),
    runScript('create-admin', ARGS, {
      env: { MONGO_URI: testDatabase().uri, PASSWORD_BLOCKLIST: 'true', ADMIN_PASSWORD: 'password123' },
    }),
  ])

  expect(attempts.map(({ code }) => code)).toEqual([2, 2, 2])
  expect(attempts.map(({ told }) => told.trimEnd().split('\n').at(-1))).toEqual([
    'npm run create-admin --: the password must have at least 8 characters',
    'npm run create-admin --: there is no terminal to type on: use --password-stdin',
    'npm run create-admin --: the password is one of the most common passwords: choose another',
  ])
  expect(await findByEmail('a@example.com')).toBeNull()
})

it('leaves an admin as it is', PATIENCE, async () => {
  const { user, sessionId } = await createTestUser({ role: 'admin' })

  const { code, told } = await runScript('create-admin', ['--email', user.email, '--apply'])

  expect(code).toBe(0)
  expect(told).toContain(`${user.email} is an admin already: nothing changes.`)
  expect(await findSessionUser(String(user._id), sessionId, 0, new Date())).toBeDefined()
})

it('writes nothing in a dry run', PATIENCE, async () => {
  const { user, sessionId } = await createTestUser({ emailVerifiedAt: new Date() })

  const runs = await Promise.all(
    [user.email, 'new@example.com'].map(email => runScript('create-admin', ['--email', email])),
  )

  for (const { code, told } of runs) {
    expect(code).toBe(0)
    expect(told).toContain('nothing is written. --apply writes.')
  }
  expect(await findByEmail(user.email)).toEqual(user)
  expect(await findByEmail('new@example.com')).toBeNull()
  expect(await findSessionUser(String(user._id), sessionId, 0, new Date())).toBeDefined()
})
