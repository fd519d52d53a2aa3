import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What a file under `api/` exports. */
export interface ServedRoute {
  fetch(request: Request): Promise<Response>
}

/** Loads a built route by its place in the project, `api/leads/index.js`. */
export async function loadRoute(file: string): Promise<ServedRoute> {
  const module = await import(pathToFileURL(join(import.meta.dirname, '../..', file)).href)
  return module.default
}
