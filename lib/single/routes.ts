import { pathFits } from '../http/path-template.js'
import type { ServedRoute } from '../http/serve.js'

/**
 * Every file under `api/` by the path that it serves, imported when it is first asked for. The builder finds what to
 * deploy by reading the imports: each is written out.
 */
export const routes: Readonly<Record<string, () => Promise<{ default: ServedRoute }>>> = {
  '/api/admin/users': () => import('../../api/admin/users/index.js'),
  '/api/admin/users/:id': () => import('../../api/admin/users/[id].js'),
  '/api/api-keys': () => import('../../api/api-keys/index.js'),
  '/api/api-keys/:id': () => import('../../api/api-keys/[id].js'),
  '/api/auth/forgot-password': () => import('../../api/auth/forgot-password.js'),
  '/api/auth/login': () => import('../../api/auth/login.js'),
  '/api/auth/logout': () => import('../../api/auth/logout.js'),
  '/api/auth/me': () => import('../../api/auth/me.js'),
  '/api/auth/refresh': () => import('../../api/auth/refresh.js'),
  '/api/auth/register': () => import('../../api/auth/register.js'),
  '/api/auth/resend-verification': () => import('../../api/auth/resend-verification.js'),
  '/api/auth/reset-password': () => import('../../api/auth/reset-password.js'),
  '/api/auth/signup': () => import('../../api/auth/signup.js'),
  '/api/auth/verify-email': () => import('../../api/auth/verify-email.js'),
  '/api/billing/checkout': () => import('../../api/billing/checkout.js'),
  '/api/billing/portal': () => import('../../api/billing/portal.js'),
  '/api/billing/webhook': () => import('../../api/billing/webhook.js'),
  '/api/calls/admit': () => import('../../api/calls/admit.js'),
  '/api/chat': () => import('../../api/chat.js'),
  '/api/chat-sessions': () => import('../../api/chat-sessions/index.js'),
  '/api/chat-sessions/:id': () => import('../../api/chat-sessions/[id].js'),
  '/api/conversations': () => import('../../api/conversations/index.js'),
  '/api/cron/maintain': () => import('../../api/cron/maintain.js'),
  '/api/events': () => import('../../api/events/index.js'),
  '/api/health': () => import('../../api/health.js'),
  '/api/leads': () => import('../../api/leads/index.js'),
  '/api/leads/:id': () => import('../../api/leads/[id].js'),
  '/api/leads/export': () => import('../../api/leads/export.js'),
  '/api/phone-numbers': () => import('../../api/phone-numbers/index.js'),
  '/api/phone-numbers/:phoneNumber': () => import('../../api/phone-numbers/[phoneNumber].js'),
  '/api/plans': () => import('../../api/plans.js'),
  '/api/user': () => import('../../api/user/index.js'),
  '/api/user/assign-phone': () => import('../../api/user/assign-phone.js'),
  '/api/user/conversations': () => import('../../api/user/conversations/index.js'),
  '/api/user/conversations/:sessionId': () => import('../../api/user/conversations/[sessionId].js'),
  '/api/user/export': () => import('../../api/user/export.js'),
  '/api/user/preferences': () => import('../../api/user/preferences.js'),
  '/api/user/profile': () => import('../../api/user/profile.js'),
  '/api/user/usage': () => import('../../api/user/usage/index.js'),
  '/api/user/usage/history': () => import('../../api/user/usage/history.js'),
  '/api/users/auth': () => import('../../api/users/auth.js'),
  '/api/users/logout': () => import('../../api/users/logout.js'),
  '/api/users/verify': () => import('../../api/users/verify.js'),
  '/api/widget-config/:projectId': () => import('../../api/widget-config/[projectId].js'),
  '/api/widget-config/:projectId/revisions': () => import('../../api/widget-config/[projectId]/revisions.js'),
  '/api/widget-config/:projectId/rollback': () => import('../../api/widget-config/[projectId]/rollback.js'),
  '/api/widget-config/domain/:domain': () => import('../../api/widget-config/domain/[domain].js'),
}

const templates = Object.keys(routes).sort()

/**
 * The route that answers a path, by its name in the table; undefined where there is none. Paths without parameters
 * come first, and then the others in the order of their files, as Vercel has it.
 */
export function findTemplate(pathname: string): string | undefined {
  const exact = pathname.replace(/\/$/, '')
  return Object.hasOwn(routes, exact) ? exact : templates.find(template => pathFits(template, exact))
}
