import bcrypt from 'bcryptjs'
import { describe, expect, it, vi } from 'vitest'
import { hashPassword, NewPassword, needsRehash, verifyPassword } from '../../lib/auth/passwords.js'

/** What the comparisons of some work cost, in rounds: each step of a hash's cost doubles it. */
async function roundsOf(work: () => Promise<unknown>): Promise<number> {
  const compare = vi.spyOn(bcrypt, 'compare')
  await work()
  const spent = compare.mock.calls.reduce((sum, [, hash]) => sum + 2 ** bcrypt.getRounds(hash), 0)
  compare.mockRestore()
  return spent
}

/** The module in a deployment of its own: the environment is read once a process. */
async function deploy(environment: Record<string, string>) {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  vi.resetModules()
  return import('../../lib/auth/passwords.js')
}

const accepts = (password: string) => NewPassword.safeParse(password).success

describe('a password that somebody chooses', () => {
  it.each([
    ['8 characters', 'abcdefgh'],
    ['72 bytes', 'x'.repeat(72)],
    ['72 bytes of 24 characters', 'अ'.repeat(24)],
    ['blanks around it', '  abcd  '],
    ['an emoji', '🔑 of mine'],
    ['quotes, braces and dollars', '{"$ne":null}'],
  ])('may have %s', (_, password) => {
    expect(accepts(password)).toBe(true)
  })

  it.each([
    ['7 characters', 'abcdefg'],
    ['7 characters of 28 bytes', '🔑'.repeat(7)],
    ['73 bytes', 'x'.repeat(73)],
    ['75 bytes of 25 characters', 'अ'.repeat(25)],
    ['1,000 bytes', 'x'.repeat(1_000)],
    ['a million bytes', 'x'.repeat(1_000_000)],
    ['a NUL', 'abcdefgh\0'],
    ['a NUL within', 'abcd\0efgh'],
  ])('may not have %s', (_, password) => {
    expect(accepts(password)).toBe(false)
  })

  it('is told once what is wrong with it', () => {
    expect(NewPassword.safeParse('short').error?.issues).toHaveLength(1)
  })

  it('may be common, as the documented examples of the old system are', () => {
    for (const password of ['password123', '12345678', 'Password1']) expect(accepts(password)).toBe(true)
  })

  it('may not be common where the deployment says so, however its case is mixed', async () => {
    const strict = await deploy({ PASSWORD_BLOCKLIST: 'true' })

    for (const password of ['password123', '12345678', 'PassWord1']) {
      const { error } = strict.NewPassword.safeParse(password)
      expect(error?.issues[0]?.message, password).toContain('most common')
    }
    expect(strict.NewPassword.safeParse('correct horse battery').success).toBe(true)
  })
})

describe('a comparison', () => {
  it('takes the password and nothing near it', async () => {
    const password = 'correct horse'
    const hash = await hashPassword(password)

    expect(await verifyPassword(password, hash)).toBe(true)
    for (const other of ['', 'Correct horse', 'correct horse ', ' correct horse', 'correct hors'])
      expect(await verifyPassword(other, hash), other).toBe(false)
  })

  it('does not cut: what bcrypt would not look at counts', async () => {
    const hash = await hashPassword('x'.repeat(72))

    expect(await verifyPassword('x'.repeat(72), hash)).toBe(true)
    for (const longer of [73, 1_000, 1_000_000])
      expect(await verifyPassword('x'.repeat(longer), hash)).toBe(false)
    const multibyte = await hashPassword('अ'.repeat(24))
    expect(await verifyPassword(`${'अ'.repeat(24)}x`, multibyte)).toBe(false)
  })

  // bcrypt repeats the password with a NUL behind it until it has enough of it.
  it.each(['abcdefgh\0abcdefgh', 'abcdefgh\0', 'abcdefgh\0x', '\0'])(
    'does not take %j for the password it repeats',
    async password => {
      const hash = await hashPassword('abcdefgh')

      expect(await verifyPassword(password, hash)).toBe(false)
    },
  )

  it('takes no empty password where there is none', async () => {
    expect(await verifyPassword('', undefined)).toBe(false)
    expect(await verifyPassword('', '')).toBe(false)
  })

  it.each([
    ['no hash', undefined],
    ['an empty one', ''],
    ['a password in clear text', 'abcdefgh'],
    ['sixty characters that are no hash', 'x'.repeat(60)],
    ['a cost that there is not', `$2b$99$${'.'.repeat(53)}`],
    ['another algorithm', `$argon2id$v=19$m=65536,t=3,p=4$${'a'.repeat(29)}`],
    ['a revision of bcrypt that is none', `$2z$04$${'.'.repeat(53)}`],
  ])('with %s is false, at the price of a comparison', async (_, hash) => {
    const verify = async () => expect(await verifyPassword('abcdefgh', hash)).toBe(false)

    expect(await roundsOf(verify)).toBe(2 ** 4)
  })

  it.each(['2a', '2b', '2y'])('takes the hashes of other systems: %s', async revision => {
    const hash = (await hashPassword('abcdefgh')).replace('$2b$', `$${revision}$`)

    expect(await verifyPassword('abcdefgh', hash)).toBe(true)
    expect(await verifyPassword('abcdefgx', hash)).toBe(false)
  })

  it('costs the same whatever is wrong', async () => {
    const { verifyPassword: verify } = await deploy({ BCRYPT_COST: '6' })
    const weak = await bcrypt.hash('abcdefgh', 4)
    const strong = await bcrypt.hash('abcdefgh', 6)
    const spent: number[] = []
    for (const [password, hash] of [
      ['abcdefgx', strong],
      ['abcdefgx', weak],
      ['abcdefgx', undefined],
      ['x'.repeat(1_000), strong],
      ['abcdefgh\0', strong],
    ] as const) {
      spent.push(await roundsOf(async () => expect(await verify(password, hash)).toBe(false)))
    }

    expect(spent).toEqual(spent.map(() => 2 ** 6))
  })
})

describe('a hash', () => {
  it('has the cost that the deployment asks for, and a salt of its own', async () => {
    const [first, second] = await Promise.all([hashPassword('abcdefgh'), hashPassword('abcdefgh')])
    const costly = await deploy({ BCRYPT_COST: '5' })

    expect(first).toMatch(/^\$2b\$04\$/)
    expect(first).not.toBe(second)
    expect(await costly.hashPassword('abcdefgh')).toMatch(/^\$2b\$05\$/)
  })

  it('is to be made again where the cost rose, and only then', async () => {
    const hash = await bcrypt.hash('abcdefgh', 5)

    expect(needsRehash(hash)).toBe(false)
    expect((await deploy({ BCRYPT_COST: '5' })).needsRehash(hash)).toBe(false)
    expect((await deploy({ BCRYPT_COST: '6' })).needsRehash(hash)).toBe(true)
  })
})
