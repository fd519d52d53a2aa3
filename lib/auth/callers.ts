import type { ObjectId } from 'mongodb'
import type { DataScope } from '../domain/data-scope.js'
import { AppError } from '../errors.js'
import type { Access, AdminCaller, Caller, CallerOf, Scope, ServiceCaller, UserCaller } from './caller.js'

/**
 * The caller of a request, if it may use a route with this access.
 *
 * @throws {AppError} `unauthenticated` without valid credentials, `forbidden` with valid ones that do not reach
 *   here, `not_configured` where the deployment has no secret to compare with.
 */
export async function authenticate<A extends Access>(
  request: Request,
  access: A,
  scope: Scope | undefined,
  now: Date,
): Promise<CallerOf<A>> {
  return (await callerFor(request, access, scope, now)) as CallerOf<A>
}

async function callerFor(
  request: Request,
  access: Access,
  scope: Scope | undefined,
  now: Date,
): Promise<Caller> {
  if (access === 'public') return { kind: 'public' }
  // Loaded only here: a function whose routes are public runs without what checks credentials.
  const { identify } = await import('./credentials.js')
  const caller = await identify(request, access, now)
  if (!caller) {
    if (access === 'anyone') return { kind: 'public' }
    throw new AppError('unauthenticated')
  }
  if (!mayUse(caller, access, scope)) throw new AppError('forbidden')
  return caller
}

function mayUse(caller: Caller, access: Access, scope: Scope | undefined): boolean {
  switch (access) {
    case 'public':
    case 'anyone':
      return true
    case 'user':
      return caller.kind === 'user'
    case 'account':
      return caller.kind === 'user' || caller.kind === 'admin'
    case 'operator':
      if (caller.kind === 'service') return scope !== undefined && caller.key.scopes.includes(scope)
      return caller.kind === 'user' || caller.kind === 'admin'
    case 'admin':
      return caller.kind === 'admin'
    case 'cron':
      return caller.kind === 'cron' || caller.kind === 'admin'
  }
}

/** What of the site half's data a caller may see. */
export function dataScopeOf(caller: UserCaller | AdminCaller | ServiceCaller): DataScope {
  if (caller.kind === 'admin') return {}
  if (caller.kind === 'user') return { ownerIds: [caller.user._id] }
  const { ownerId, userIds, microsites } = caller.key
  // A key with an owner names no other users: its owner is the whole of that limit.
  const ownerIds = ownerId ? [ownerId] : userIds
  return { ...(ownerIds && { ownerIds }), ...(microsites && { microsites }) }
}

/** Whose things a caller manages: its own, or everybody's (undefined) for an admin. */
export function ownerIdOf(caller: UserCaller | AdminCaller): ObjectId | undefined {
  return caller.kind === 'user' ? caller.user._id : undefined
}
