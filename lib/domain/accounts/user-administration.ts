import type { Filter } from 'mongodb'
import { z } from 'zod'
import { hashPassword, NewPassword } from '../../auth/passwords.js'
import { after, CursorQuery, cursorPage, newestFirst, page } from '../../db/keyset.js'
import { AppError } from '../../errors.js'
import { readId } from '../ids.js'
import { forgetSessions } from './sessions.js'
import {
  ACTIVE,
  createUser,
  Email,
  PublicUser,
  Role,
  toPublicUser,
  type User,
  UserName,
  UserStatus,
  users,
} from './users.js'

/** A new admin. Only who runs a script on the deployment's database makes one. */
export const AdminInput = z.object({ email: Email, password: NewPassword, name: UserName.optional() })

/**
 * Creates an account with the role admin.
 *
 * @throws {AppError} `conflict` when the address is taken, `unavailable` while the database is away.
 */
export async function createAdmin(input: z.infer<typeof AdminInput>, now: Date): Promise<PublicUser> {
  const { email, password, name } = input
  const passwordHash = await hashPassword(password)
  return toPublicUser(await createUser({ email, passwordHash, name }, now, 'admin'))
}

export const UserFilter = CursorQuery.extend({
  email: Email.optional(),
  status: UserStatus.optional(),
})

export const UserPage = cursorPage(PublicUser)

/** A page of all users, newest first. */
export async function listUsers(filter: z.infer<typeof UserFilter>): Promise<z.infer<typeof UserPage>> {
  const { email, status, limit, cursor } = filter
  const withStatus = status === 'active' ? ACTIVE : status
  const matching: Filter<User>[] = [
    { ...(email !== undefined && { email }), ...(withStatus !== undefined && { status: withStatus }) },
    ...(cursor ? [after<User>(cursor)] : []),
  ]
  const fetched = await (await users.open())
    .find({ $and: matching })
    .sort(newestFirst)
    .limit(limit + 1)
    .toArray()
  const { items, nextCursor } = page(fetched, limit)
  return { items: items.map(toPublicUser), nextCursor }
}

/** What an admin decides about a user. Deleting is the user's own right and has its own route. */
export const UserChange = z
  .object({ role: Role, status: z.enum(['active', 'suspended']) })
  .partial()
  .refine(change => change.role !== undefined || change.status !== undefined, 'must change something')

/**
 * Changes the role or the status of a user, and ends its sessions: nobody goes on with what was taken away.
 *
 * @throws {AppError} `not_found` for a user that is unknown or deleted.
 */
export async function administerUser(
  id: string,
  change: z.infer<typeof UserChange>,
  now: Date,
): Promise<PublicUser> {
  const { role, status } = change
  const _id = readId(id)
  if (!_id) throw new AppError('not_found')
  const changed = await (await users.openGuarded()).findOneAndUpdate(
    { _id, status: { $ne: 'deleted' } },
    {
      $set: { ...(role && { role }), ...(status && { status }), updatedAt: now },
      $inc: { sessionVersion: 1 },
    },
    { returnDocument: 'after' },
  )
  if (!changed) throw new AppError('not_found')
  await forgetSessions(changed._id)
  return toPublicUser(changed)
}
