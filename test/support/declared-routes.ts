import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Route } from '../../lib/http/route.js'
import type { ServedRoute, Verb } from '../../lib/http/serve.js'

/** One verb of one route, as its file under `api/` declares it. */
export interface DeclaredVerb {
  /** `GET /api/leads/:id` */
  name: string
  verb: Verb
  path: string
  route: ServedRoute
  declaration: Route['declaration']
}

const root = join(import.meta.dirname, '../../api')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))

/** Every route of the API: a new one is here by being there. */
export const servedRoutes: readonly ServedRoute[] = await Promise.all(
  files.map(async file => ((await import(join(root, file))) as { default: ServedRoute }).default),
)

/** Every verb of every route. */
export const declaredVerbs: readonly DeclaredVerb[] = servedRoutes.flatMap(route =>
  Object.entries(route.verbs).map(([verb, { declaration }]) => ({
    name: `${verb} ${route.path}`,
    verb: verb as Verb,
    path: route.path,
    route,
    declaration,
  })),
)
