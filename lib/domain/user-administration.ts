import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { after, Cursor, newestFirst, page } from '../db/keyset.js'
import { AppError } from '../errors.js'
import { forgetSessions } from './sessions.js'
import { Email, PublicUser, Role, toPublicUser, type User, UserStatus, users } from './users.js'

export const UserFilter = z.object({
  email: Email.optional(),
  status: UserStatus.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: Cursor.optional(),
})

export const UserPage = z.object({ items: z.array(PublicUser), nextCursor: z.string().nullable() })

/** A page of all users, newest first. */
export async function listUsers(filter: z.infer<typeof UserFilter>): Promise<z.infer<typeof UserPage>> {
  const { email, status, limit, cursor } = filter
  // Users of the old system have no status: they are active.
  const withStatus = status === 'active' ? { $nin: ['suspended' as const, 'deleted' as const] } : status
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
  const changed = ObjectId.isValid(id)
    ? await (await users.openGuarded()).findOneAndUpdate(
        { _id: new ObjectId(id), status: { $ne: 'deleted' } },
        {
          $set: { ...(role && { role }), ...(status && { status }), updatedAt: now },
          $inc: { sessionVersion: 1 },
        },
        { returnDocument: 'after' },
      )
    : null
  if (!changed) throw new AppError('not_found')
  await forgetSessions(changed._id)
  return toPublicUser(changed)
}
