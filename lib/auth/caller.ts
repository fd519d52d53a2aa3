import type { ObjectId } from 'mongodb'
import type { ApiKey, Scope } from '../domain/accounts/api-keys.js'
import type { User } from '../domain/accounts/users.js'

export type { Scope }

/**
 * Who may use a route. `public`: anybody, and credentials are not looked at (old dashboards send their widget key
 * everywhere). `anyone`: anybody, and whoever has valid credentials is known by them; where the route has a scope, an
 * API key needs it. `user`: somebody with an account. `account`: an account or an admin, but no API key. `operator`:
 * whoever has data to look after: accounts, admins, and API keys with the route's scope. `service`: other systems, by
 * the deployment's API keys with the route's scope, not by those of users, and admins. `admin` and `cron`: what they say.
 */
export type Access = 'public' | 'anyone' | 'user' | 'account' | 'operator' | 'service' | 'admin' | 'cron'

export interface PublicCaller {
  kind: 'public'
}
/** `id` is stable per identity: limits and histories are keyed on it. */
export interface UserCaller {
  kind: 'user'
  id: string
  user: User
  sessionId: string
  /** When the access token ends. */
  expiresAt: Date
}
/** Sees everything: an account with the role, or the deployment's `ADMIN_TOKEN`, which has no account. */
export interface AdminCaller {
  kind: 'admin'
  id: string
  /** Of the account, where there is one. */
  userId?: ObjectId
}
export interface ServiceCaller {
  kind: 'service'
  id: string
  key: ApiKey
}
export interface CronCaller {
  kind: 'cron'
  id: string
}
export type Caller = PublicCaller | UserCaller | AdminCaller | ServiceCaller | CronCaller

interface CallersOf {
  public: PublicCaller
  anyone: Caller
  user: UserCaller
  account: UserCaller | AdminCaller
  operator: UserCaller | AdminCaller | ServiceCaller
  service: AdminCaller | ServiceCaller
  admin: AdminCaller
  cron: CronCaller | AdminCaller
}

/** The callers that a route with this access can meet. */
export type CallerOf<A extends Access> = CallersOf[A]
