import { z } from 'zod'
import { type SessionTokens, sessionCookies } from '../auth/cookies.js'
import { AppError } from '../errors.js'
import { type Reply, success } from './reply.js'
import type { RequestContext } from './route.js'

const TokenAnswer = z.object({
  user: z.unknown(),
  token: z.string().optional(),
  refreshToken: z.string().optional(),
  expiresIn: z.number().int(),
})

/** Who is signed in; old clients read `user` and `token` at top level, new ones under `data`. */
export const SignedInAnswer = TokenAnswer.extend({ success: z.literal(true), data: TokenAnswer })

/** What signing in produced, as the domain returns it. */
interface SignedIn extends SessionTokens {
  user: unknown
}

/**
 * Refuses session cookies to pages that are not ours: another site must not sign its visitor in to an account of its
 * choosing. A page of ours on another site is refused as well: it would be told that it is signed in and have neither
 * cookies, which are `SameSite=Strict`, nor tokens.
 *
 * @throws {AppError} `forbidden` for a foreign page that asks for cookies, and for one that would not get them.
 */
export function requireOwnPage(session: 'token' | 'cookie', context: RequestContext): void {
  if (session === 'token') return
  if (!context.fromOwnPage) throw new AppError('forbidden', 'Session cookies are for our own pages.')
  if (context.fromOtherSite)
    throw new AppError('forbidden', 'A page of another site gets no session cookies: use tokens.')
}

/** Answers with the tokens, or hands them to the browser as cookies (see `requireOwnPage`). */
export function signedIn({ user, ...tokens }: SignedIn, session: 'token' | 'cookie', status = 200): Reply {
  const { token, refreshToken, expiresIn } = tokens
  if (session === 'token') {
    const data = { user, token, refreshToken, expiresIn }
    return success(data, { status, topLevel: data })
  }
  const data = { user, expiresIn }
  return success(data, { status, topLevel: data, cookies: sessionCookies(tokens) })
}

/** The one answer of strict sign-up, whether or not the address was taken. */
export function signUpReceived(): Reply {
  return success(null, { status: 202, message: 'Check your inbox: we sent you a mail.' })
}

/** The answer to every request for a mail, whether or not the address has an account. */
export function mailRequested(): Reply {
  return success(null, { message: 'If there is an account with this address, a mail is on its way.' })
}
