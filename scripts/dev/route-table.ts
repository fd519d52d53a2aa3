import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Builder, getLambdaOptionsFromFunction, type PackageJson } from '@vercel/build-utils'
import { detectBuilders } from '@vercel/fs-detectors'
import { getTransformedRoutes, isHandler, type Route } from '@vercel/routing-utils'
import { listProjectFiles } from './project-files.js'
import { UsageError } from './usage-error.js'
import { readVercelConfig, type VercelConfig } from './vercel-config.js'

// https://vercel.com/docs/functions/configuring-functions/duration, with fluid compute
const DEFAULT_DURATION_SECONDS = 300

/** A file under `api/` that Vercel makes a function of. */
export interface FunctionEntry {
  /** Relative to the project: `api/leads/index.ts`. */
  file: string
  maxDurationSeconds: number
  /** Whether a client that goes away ends the request's work. Vercel's default is that it does not. */
  supportsCancellation: boolean
}

/** One route of the Build Output API: https://vercel.com/docs/build-output-api/configuration#source-route */
export interface Rule {
  source: RegExp
  destination: string | undefined
  headers: [name: string, value: string][]
  status: number | undefined
  /** Goes on with the next rule, keeping the headers. */
  continues: boolean
}

type Phase = 'before' | 'filesystem' | 'miss' | 'error'

/** How Vercel would route a project's requests. */
export interface RouteTable {
  rules: Record<Phase, Rule[]>
  /** By the path of the built function, which is the file's without its extension. */
  functions: ReadonlyMap<string, FunctionEntry>
  /** Absolute; nothing but what is in there is served as a file. */
  publicDirectory: string
  cleanUrls: boolean
  config: VercelConfig
  /** What Vercel would build of the project, its static files included. */
  builders: readonly Builder[]
}

/**
 * Makes the table with Vercel's own detection of functions and translation of `vercel.json`, so that an order of
 * precedence that surprises in production surprises here too.
 *
 * @throws {UsageError} for what Vercel refuses, and for what the development server does not serve.
 */
export async function readRouteTable(root: string): Promise<RouteTable> {
  const config = readVercelConfig(root)
  const configured = getTransformedRoutes(config)
  if (configured.error) throw new UsageError(`vercel.json: ${configured.error.message}`)
  const detected = await detectBuilders(await listProjectFiles(root), await readPackageJson(root), {
    ...config,
    projectSettings: {},
    featHandleMiss: true,
  })
  const problems = detected.errors ?? []
  if (problems.length > 0) throw new UsageError(problems.map(problem => problem.message).join('\n'))

  const rules: RouteTable['rules'] = { before: [], filesystem: [], miss: [], error: [] }
  addRoutes(rules, 'before', configured.routes)
  addRoutes(rules, 'before', detected.redirectRoutes)
  addRoutes(rules, 'filesystem', detected.rewriteRoutes)
  addRoutes(rules, 'before', detected.defaultRoutes)
  addRoutes(rules, 'error', detected.errorRoutes)
  const builders = detected.builders ?? []
  return {
    rules,
    functions: await functionEntries(builders, config),
    publicDirectory: join(root, 'public'),
    cleanUrls: config.cleanUrls === true,
    config,
    builders,
  }
}

async function readPackageJson(root: string): Promise<PackageJson | null> {
  try {
    return JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

// Routes in front of the first handler belong to `first`, those behind one to its phase.
function addRoutes(rules: RouteTable['rules'], first: Phase, routes: Route[] | null): void {
  let phase = first
  for (const route of routes ?? []) {
    if (isHandler(route)) {
      if (route.handle !== 'filesystem' && route.handle !== 'miss' && route.handle !== 'error')
        throw new UsageError(`The development server has no phase "${route.handle}"`)
      phase = route.handle
    } else {
      rules[phase].push({
        source: new RegExp(route.src),
        destination: route.dest,
        headers: Object.entries(route.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
        status: route.status,
        continues: route.continue === true,
      })
    }
  }
}

async function functionEntries(builders: readonly Builder[], config: VercelConfig) {
  const entries = new Map<string, FunctionEntry>()
  for (const { use, src } of builders) {
    if (use !== '@vercel/node' || src === undefined) continue
    const limits = await getLambdaOptionsFromFunction({
      sourceFile: src,
      config: config.functions ? { functions: config.functions } : {},
    })
    entries.set(src.replace(/\.[cm]?[jt]sx?$/, ''), {
      file: src,
      maxDurationSeconds:
        typeof limits.maxDuration === 'number' ? limits.maxDuration : DEFAULT_DURATION_SECONDS,
      supportsCancellation: limits.supportsCancellation === true,
    })
  }
  return entries
}
