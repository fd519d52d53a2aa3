import { serve } from '../http/serve.js'
import { findTemplate, routes } from './routes.js'

// As `functions` in vercel.json has it, which Vercel does not take beside `builds`.
export const config = { maxDuration: 30 }

const nothing = serve('*', {})

/**
 * Every route as one function, for plans with fewer functions than there are routes: `vercel.single.json` sends
 * all of `/api` here.
 */
export default {
  async fetch(request: Request): Promise<Response> {
    const template = findTemplate(new URL(request.url).pathname)
    const loaded = template === undefined ? undefined : await routes[template]?.()
    return (loaded?.default ?? nothing).fetch(request)
  },
}
