import { z } from 'zod'
import { PasswordAttempt } from '../../auth/passwords.js'
import { type AccountRequest, login } from './accounts.js'
import { Email } from './users.js'

/** The login of the old dashboards: their `username` is the e-mail address. */
export const DashboardLogin = z.object({ username: Email, password: PasswordAttempt })

/** What the old dashboards read; they hold nothing but the token. */
export const DashboardAnswer = z.object({
  success: z.literal(true),
  token: z.string(),
  username: z.string(),
  expiresAt: z.date(),
})

/**
 * Signs an old dashboard in.
 *
 * @throws {AppError} as `login` does.
 */
export async function dashboardLogin(
  { username, password }: z.infer<typeof DashboardLogin>,
  request: AccountRequest,
): Promise<z.infer<typeof DashboardAnswer>> {
  const input = { email: username, password, tokenLife: 'default', session: 'token' } as const
  const { token, user, expiresIn } = await login(input, request)
  const expiresAt = new Date(request.now.getTime() + expiresIn * 1000)
  return { success: true, token, username: user.email, expiresAt }
}
