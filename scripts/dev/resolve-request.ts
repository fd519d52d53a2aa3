import { PLATFORM_ANSWERS, type PlatformAnswer } from './platform-answers.js'
import type { FunctionEntry, RouteTable, Rule } from './route-table.js'
import { findStaticFile, type StaticFile } from './static-files.js'

type Found = { kind: 'function'; entry: FunctionEntry } | { kind: 'file'; file: StaticFile }

/** What answers a request, and the headers that `vercel.json` adds to the answer. */
export type Resolution = { headers: Record<string, string> } & (
  | { kind: 'function'; entry: FunctionEntry; url: string }
  | { kind: 'file'; file: StaticFile; status: 200 | 404 }
  | { kind: 'redirect'; status: number; location: string }
  | { kind: 'platform'; answer: PlatformAnswer }
)

/**
 * Walks the phases as https://vercel.com/docs/build-output-api/configuration#routes has them: rules in front of
 * the file system, files and functions, rewrites (each checked against those again), errors.
 *
 * @param target path and query as they came in the request line.
 */
export async function resolveRequest(table: RouteTable, target: string): Promise<Resolution> {
  const [pathname, search] = splitQuery(target)
  const headers: Record<string, string> = {}
  if (!pathname.startsWith('/') || !isDecodable(pathname))
    return { kind: 'platform', answer: PLATFORM_ANSWERS.badRequest, headers }
  // A browser reads a backslash as a slash, and what begins with two of them as another host.
  if (pathname.includes('//'))
    return { kind: 'redirect', status: 308, location: pathname.replace(/[/\\]+/g, '/') + search, headers }

  for (const rule of table.rules.before) {
    const match = rule.source.exec(pathname)
    if (!match) continue
    for (const [name, value] of rule.headers) headers[name] = substitute(value, match)
    if (rule.continues) continue
    const { location, ...others } = headers
    if (rule.status !== undefined && location !== undefined)
      return { kind: 'redirect', status: rule.status, location, headers: others }
    break
  }

  const direct = await find(table, pathname)
  if (direct) return toResolution(direct, target, headers)
  return (await rewritten(table, pathname, search, headers)) ?? (await notFound(table, pathname, headers))
}

async function rewritten(
  table: RouteTable,
  requested: string,
  search: string,
  headers: Record<string, string>,
): Promise<Resolution | undefined> {
  let pathname = requested
  let query: [string, string][] = []
  for (const rule of table.rules.filesystem) {
    const match = rule.source.exec(pathname)
    if (!match) continue
    if (rule.destination === undefined) return undefined
    const [destination, destinationSearch] = splitQuery(substitute(rule.destination, match))
    query = [...parseQuery(destinationSearch), ...query]
    const found = await find(table, destination)
    if (found) return toResolution(found, requested + mergeQuery(search, query), headers)
    pathname = destination
  }
  return undefined
}

async function notFound(
  table: RouteTable,
  pathname: string,
  headers: Record<string, string>,
): Promise<Resolution> {
  for (const rule of table.rules.error) {
    if (rule.status !== 404 || rule.destination === undefined || !rule.source.test(pathname)) continue
    const file = await findStaticFile(table, segmentsOf(rule.destination))
    if (file) return { kind: 'file', file, status: 404, headers }
  }
  return { kind: 'platform', answer: PLATFORM_ANSWERS.notFound, headers }
}

function toResolution(found: Found, url: string, headers: Record<string, string>): Resolution {
  return found.kind === 'function'
    ? { kind: 'function', entry: found.entry, url, headers }
    : { kind: 'file', file: found.file, status: 200, headers }
}

async function find(table: RouteTable, pathname: string): Promise<Found | undefined> {
  return (await findExactly(table, pathname)) ?? (await findByMissRules(table, pathname))
}

async function findByMissRules(table: RouteTable, pathname: string): Promise<Found | undefined> {
  for (const rule of table.rules.miss) {
    const destination = destinationOf(rule, pathname)
    const found = destination === undefined ? undefined : await findExactly(table, destination)
    if (found) return found
  }
  return undefined
}

function destinationOf(rule: Rule, pathname: string): string | undefined {
  const match = rule.source.exec(pathname)
  return match && rule.destination !== undefined ? substitute(rule.destination, match) : undefined
}

async function findExactly(table: RouteTable, pathname: string): Promise<Found | undefined> {
  const segments = segmentsOf(pathname)
  if (!segments) return undefined
  const path = segments.join('/')
  const entry = table.functions.get(path) ?? table.functions.get(`${path}/index`)
  if (entry) return { kind: 'function', entry }
  const file = await findStaticFile(table, segments)
  return file && { kind: 'file', file }
}

// Each segment is decoded by itself, and none that would mean another directory is taken: an encoded slash or dot
// names a file in no deployment.
function segmentsOf(pathname: string): string[] | undefined {
  const trimmed = pathname.replace(/^\//, '').replace(/\/$/, '')
  if (trimmed === '') return []
  const segments = trimmed.split('/').map(decodeURIComponent)
  const plain = segments.every(name => !/[/\\\0]/.test(name) && !['', '.', '..'].includes(name))
  return plain ? segments : undefined
}

function isDecodable(pathname: string): boolean {
  try {
    decodeURIComponent(pathname)
    return true
  } catch {
    return false
  }
}

function substitute(template: string, match: RegExpExecArray): string {
  return template.replace(/\$([1-9])/g, (_, group) => match[Number(group)] ?? '')
}

function splitQuery(target: string): [pathname: string, search: string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at)]
}

function parseQuery(search: string): [string, string][] {
  return search
    .slice(1)
    .split('&')
    .filter(pair => pair !== '')
    .map(pair => {
      const [name = '', value = ''] = pair.split('=', 2)
      return [decodeURIComponent(name), decodeURIComponent(value)]
    })
}

// What the client sent stays as it is and wins, as measured with Vercel's own development server: a client can
// override the parameter of a dynamic segment.
function mergeQuery(search: string, added: [string, string][]): string {
  const given = new URLSearchParams(search)
  const pairs = added
    .filter(([name]) => !given.has(name))
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  if (pairs.length === 0) return search
  return `${search.length > 1 ? `${search}&` : '?'}${pairs.join('&')}`
}
