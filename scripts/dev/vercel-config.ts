import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuilderFunctions } from '@vercel/build-utils'
import type { Header, Redirect, Rewrite } from '@vercel/routing-utils'
import { UsageError } from './usage-error.js'

/** What of `vercel.json` decides how a request is answered, and what its crons call. */
export interface VercelConfig {
  functions?: BuilderFunctions
  headers?: Header[]
  redirects?: Redirect[]
  rewrites?: Rewrite[]
  trailingSlash?: boolean
  cleanUrls?: boolean
  crons?: { path: string; schedule: string }[]
}

const SERVED = ['functions', 'headers', 'redirects', 'rewrites', 'trailingSlash', 'cleanUrls']
const WITHOUT_LOCAL_EFFECT = [
  '$schema',
  'crons',
  'regions',
  'fluid',
  'framework',
  'git',
  'github',
  'installCommand',
]
const RULE_KEYS = {
  headers: ['source', 'headers'],
  redirects: ['source', 'destination', 'permanent', 'statusCode'],
  rewrites: ['source', 'destination'],
} as const

/**
 * Reads a project's `vercel.json`; none is an empty one.
 *
 * @throws {UsageError} for what the development server would not do as Vercel does: a setting that is silently
 *   ignored here would be a surprise there.
 */
export function readVercelConfig(root: string): VercelConfig {
  let text: string
  try {
    text = readFileSync(join(root, 'vercel.json'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
  const config = parseConfig(text)
  const problems = Object.keys(config)
    .filter(key => !SERVED.includes(key) && !WITHOUT_LOCAL_EFFECT.includes(key))
    .map(key => `"${key}" is not served by the development server`)
  for (const [list, keys] of Object.entries(RULE_KEYS)) {
    for (const rule of config[list as keyof typeof RULE_KEYS] ?? []) {
      const unknown = Object.keys(rule).filter(key => !(keys as readonly string[]).includes(key))
      problems.push(...unknown.map(key => `"${key}" in ${list} is not served by the development server`))
      if (list !== 'headers' && 'destination' in rule && !isPath(rule.destination))
        problems.push(`${list}: only a path is served as a destination`)
    }
  }
  if (problems.length > 0) throw new UsageError(problems.map(problem => `vercel.json: ${problem}`).join('\n'))
  return config
}

function parseConfig(text: string): VercelConfig {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`vercel.json: ${error instanceof Error ? error.message : error}`)
  }
}

function isPath(destination: unknown): boolean {
  return typeof destination === 'string' && destination.startsWith('/')
}
