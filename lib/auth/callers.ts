import type { ObjectId } from 'mongodb'
import type { DataScope } from '../domain/data-scope.js'
import type { Editor } from '../domain/widgets/project-ownership.js'
import { AppError } from '../errors.js'
import type { Access, AdminCaller, Caller, CallerOf, Scope, ServiceCaller, UserCaller } from './caller.js'

/** Loaded by the first route that needs it: a function whose routes are public runs without what checks credentials. */
let credentials: Promise<typeof import('./credentials.js')> | undefined

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
  credentials ??= import('./credentials.js')
  const { identify } = await credentials
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
      return true
    case 'anyone':
      return caller.kind !== 'service' || scope === undefined || caller.key.scopes.includes(scope)
    case 'user':
      return caller.kind === 'user'
    case 'account':
      return caller.kind === 'user' || caller.kind === 'admin'
    case 'operator':
      return caller.kind === 'user' || caller.kind === 'admin' || isServiceFor(caller, scope)
    case 'service':
      return caller.kind === 'admin' || (isServiceFor(caller, scope) && !caller.key.ownerId)
    case 'admin':
      return caller.kind === 'admin'
    case 'cron':
      return caller.kind === 'cron' || caller.kind === 'admin'
  }
}

function isServiceFor(caller: Caller, scope: Scope | undefined): caller is ServiceCaller {
  return caller.kind === 'service' && scope !== undefined && caller.key.scopes.includes(scope)
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

/**
 * Whose calls a caller may save and admit.
 *
 * @throws {AppError} `forbidden` for a key that is limited to microsites alone: calls are of none.
 */
export function callScopeOf(caller: AdminCaller | ServiceCaller): DataScope {
  const { ownerIds, microsites } = dataScopeOf(caller)
  if (microsites && !ownerIds) throw new AppError('forbidden')
  return ownerIds ? { ownerIds } : {}
}

/** Whose things a caller manages: its own, or everybody's (undefined) for an admin. */
export function ownerIdOf(caller: UserCaller | AdminCaller): ObjectId | undefined {
  return caller.kind === 'user' ? caller.user._id : undefined
}

/** The admin's account that a key made by this caller stands on; a user's key stands on its owner. */
export function makerIdOf(caller: UserCaller | AdminCaller): ObjectId | undefined {
  return caller.kind === 'admin' ? caller.userId : undefined
}

/** Whose projects a caller may change, and how histories call it. Whether a key may at all is the route's to ask. */
export function editorOf(caller: UserCaller | AdminCaller | ServiceCaller): Editor {
  switch (caller.kind) {
    case 'admin':
      return adminAsEditor(caller.id)
    case 'user':
      // A route that is open to anyone meets an admin's account as the user that it also is.
      return caller.user.role === 'admin'
        ? adminAsEditor(caller.id)
        : ownerAsEditor(caller.id, caller.user._id)
    case 'service':
      return keyAsEditor(caller)
  }
}

/**
 * The same where nobody need say who it is; undefined for the public.
 *
 * @throws {AppError} `forbidden` for the cron, which has no business with projects.
 */
export function editorIfAny(caller: Caller): Editor | undefined {
  if (caller.kind === 'cron') throw new AppError('forbidden')
  return caller.kind === 'public' ? undefined : editorOf(caller)
}

function adminAsEditor(id: string): Editor {
  return { id, isAdmin: true, mayClaim: true, mayEdit: () => true }
}

function ownerAsEditor(id: string, ownerId: ObjectId): Editor {
  return {
    id,
    isAdmin: false,
    mayClaim: false,
    ownerId,
    mayEdit: config => config.ownerId?.equals(ownerId) ?? false,
  }
}

function ownedByOneOf(userIds: readonly ObjectId[]): Editor['mayEdit'] {
  return ({ ownerId }) => ownerId !== undefined && userIds.some(userId => userId.equals(ownerId))
}

/** A key is no admin, whoever made it: one that leaks gives no project away. */
function keyAsEditor({ id, key }: ServiceCaller): Editor {
  const { ownerId, userIds, microsites } = key
  const owner = ownerId
    ? ownerAsEditor(id, ownerId)
    : {
        id,
        isAdmin: false,
        mayClaim: !userIds && !microsites,
        mayEdit: userIds ? ownedByOneOf(userIds) : () => true,
      }
  if (!microsites) return owner
  const mayEdit: Editor['mayEdit'] = config => microsites.includes(config.projectId) && owner.mayEdit(config)
  return { ...owner, mayEdit }
}
