import type { z } from 'zod'
import { AdminInput, administerUser, createAdmin } from '../../lib/domain/accounts/user-administration.js'
import { findUserByEmail, statusOf, type User } from '../../lib/domain/accounts/users.js'
import { UsageError } from '../dev/usage-error.js'
import type { Flags, Typed } from './command.js'
import { parseFlag } from './flags.js'
import { passwordFromInput, typedPassword } from './password.js'

/** The flags of every script that makes an admin, beside the one that says the address. */
export const ADMIN_FLAGS = {
  name: { type: 'string', value: 'NAME', help: 'the name of a new admin' },
  'password-stdin': {
    type: 'boolean',
    help: 'read the password of a new admin from standard input, not from ADMIN_PASSWORD or the terminal',
  },
} as const satisfies Flags

type Wanted = Pick<z.infer<typeof AdminInput>, 'email' | 'name'>

/**
 * What was typed of an admin.
 *
 * @param flag the one that says the address.
 * @throws {UsageError} naming the flag that is wrong.
 */
export function readAdmin(typed: Typed, flag: string): Wanted {
  return {
    email: parseFlag(AdminInput.shape.email, flag, typed.text(flag)),
    name: parseFlag(AdminInput.shape.name, 'name', typed.text('name')),
  }
}

/**
 * Makes an admin of the account with an address; of a new one, if there is none. Says what it does, or in a dry run
 * would do, and whether that is anything.
 *
 * @throws {UsageError} for a password that is refused.
 * @throws {Error} for an account whose address nobody proved: whoever registered it, and knows its password, need not
 *   be who is meant.
 */
export async function makeAdmin({ email, name }: Wanted, typed: Typed, apply: boolean): Promise<boolean> {
  const existing = await findUserByEmail(email)
  if (existing && existing.role !== 'admin' && !existing.emailVerifiedAt)
    throw new Error(
      `${email} has an account whose address nobody proved: confirm it, or replace its password, by mail first`,
    )
  console.error(describe(email, existing))
  if (existing?.role === 'admin') return false
  if (!apply) return true
  if (existing) {
    await administerUser(existing._id.toHexString(), { role: 'admin' }, new Date())
    return true
  }
  const accepted = AdminInput.shape.password.safeParse(await readPassword(typed))
  if (!accepted.success) throw new UsageError(`the password ${accepted.error.issues[0]?.message}`)
  await createAdmin({ email, password: accepted.data, name }, new Date())
  return true
}

function describe(email: string, existing: User | null): string {
  if (!existing) return `${email} is a new admin.`
  if (existing.role === 'admin') return `${email} is an admin already: nothing changes.`
  const status = statusOf(existing) === 'active' ? '' : `, and stays ${statusOf(existing)}`
  return `${email} has an account: it becomes an admin${status}. Its password stays as it is.`
}

async function readPassword(typed: Typed): Promise<string> {
  if (typed.has('password-stdin')) return passwordFromInput()
  return process.env.ADMIN_PASSWORD || typedPassword()
}
