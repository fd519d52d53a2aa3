import { env } from '../env.js'

/** Whether an origin is one of our own pages: the deployment itself, or one that the environment lists. */
export function isOwnOrigin(origin: string, request: Request): boolean {
  const { appUrl, appOrigins } = env()
  return origin === new URL(request.url).origin || origin === appUrl || appOrigins.includes(origin)
}
