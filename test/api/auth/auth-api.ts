import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { PublicUser } from '../../../lib/domain/accounts/users.js'
import type { ErrorBody } from '../../../lib/http/reply.js'
import type { ServedRoute } from '../../../lib/http/serve.js'
import { backgroundTasksDone } from '../../support/fixtures/background-tasks.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { type Answer, type CallOptions, call } from '../../support/request.js'

const POSTS = [
  'auth/register',
  'auth/signup',
  'auth/login',
  'auth/refresh',
  'auth/logout',
  'auth/verify-email',
  'auth/resend-verification',
  'auth/forgot-password',
  'auth/reset-password',
  'users/auth',
  'users/verify',
  'users/logout',
] as const
export type AuthPost = (typeof POSTS)[number]

/** What the account routes answer, all of them together. */
export interface AuthAnswer extends Partial<Pick<ErrorBody, 'code' | 'message' | 'details' | 'requestId'>> {
  success: boolean
  user: Wire<PublicUser>
  token: string
  refreshToken: string
  expiresIn: number
  data: Omit<AuthAnswer, 'success' | 'data'>
}

/** The account routes of one deployment. */
export interface AuthApi {
  post(route: AuthPost, body?: unknown, options?: CallOptions): Promise<Answer<AuthAnswer>>
  /** Whatever else a client may send there; `path` is from `/api/` on, with its query. */
  send(method: string, path: string, options?: CallOptions): Promise<Answer<AuthAnswer>>
  me(options: CallOptions): Promise<Answer<AuthAnswer>>
}

/**
 * The account routes; with variables, those of a deployment of its own, since a process reads its environment once.
 * Of two deployments the older one is not to be used any more: what it loads late is the newer one's.
 */
export async function deployAuth(environment: Record<string, string> = {}): Promise<AuthApi> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  if (Object.keys(environment).length > 0) vi.resetModules()
  const load = async (name: string) => {
    const module = await import(join(import.meta.dirname, `../../../api/${name}.ts`))
    return module.default as ServedRoute
  }
  const [meRoute, ...routes] = await Promise.all(['auth/me', ...POSTS].map(load))
  const posts = new Map<string | undefined, ServedRoute | undefined>(
    POSTS.map((name, i) => [name, routes[i]]),
  )
  const send: AuthApi['send'] = (method, path, options) =>
    call(given(posts.get(path.split('?')[0])), method, `/api/${path}`, options)
  return {
    send,
    post: (route, body, options) => send('POST', route, { body, ...options }),
    me: options => call(given(meRoute), 'GET', '/api/auth/me', options),
  }
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('There is no such route')
  return value
}

export interface SentMail {
  subject: string
  /** Of the link in it. */
  token: string
  /** All of it, without the breaks in its long lines. */
  source: string
}

/** The mails that were sent to an address, in their order, once everything after the answers is done. */
export async function mailsTo(address: string): Promise<SentMail[]> {
  await backgroundTasksDone()
  const outbox = join(process.env.DATA_DIRECTORY ?? '', 'outbox')
  const names = (await readdir(outbox).catch(() => [])).filter(name => name.endsWith('.eml')).sort()
  const texts = await Promise.all(names.map(name => readFile(join(outbox, name), 'utf8')))
  return texts
    .filter(text => text.includes(`\r\nTo: ${address}\r\n`))
    .map(text => ({
      subject: /\r\nSubject: (.*)\r\n/.exec(text)?.[1] ?? '',
      token: /#token=([\w-]+)/.exec(text)?.[1] ?? '',
      source: text.replaceAll('=\r\n', ''),
    }))
}

/** The token of the last mail that an address was sent. */
export async function mailedToken(address: string): Promise<string> {
  return (await mailsTo(address)).at(-1)?.token ?? ''
}
