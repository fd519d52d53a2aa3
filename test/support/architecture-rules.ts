import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { parseSource, type SourceFile } from './source-files.js'

/** A repository as the rules see it: every file by its path, and what package.json and vercel.json declare. */
export interface Project {
  files: ReadonlyMap<string, string>
  packageJson: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> }
  vercelJson: { crons?: { path: string }[] }
}

/** One broken rule, in the file that has to change. */
export interface Violation {
  file: string
  rule: string
}

interface Layer {
  name: string
  files: RegExp
  /** The other layers it may import; its own files it always may. */
  imports: readonly string[]
  /** One file of another layer. */
  importsFile?: string
}

// The first pattern that fits is a file's layer. `credentials` is the part of lib/auth below the domain:
// hashing and signing, which a domain module calls; the rest of lib/auth calls the domain.
const LAYERS: readonly Layer[] = [
  { name: 'api', files: /^api\//, imports: ['http', 'domain', 'auth', 'credentials', 'rate-limit'] },
  { name: 'single function', files: /^lib\/single\//, imports: ['api', 'http'] },
  {
    name: 'http',
    files: /^lib\/http\//,
    imports: ['auth', 'credentials', 'rate-limit', 'env', 'errors', 'with-timeout'],
    // What an error of the driver means to a client: the pipeline needs that much of the database, and no more.
    importsFile: 'lib/db/errors.ts',
  },
  {
    name: 'credentials',
    files: /^lib\/auth\/(common-passwords|passwords|secrets|tokens)\.ts$/,
    imports: ['env', 'errors'],
  },
  { name: 'auth', files: /^lib\/auth\//, imports: ['credentials', 'domain', 'db', 'env', 'errors'] },
  { name: 'rate-limit', files: /^lib\/rate-limit\//, imports: ['domain', 'db', 'env', 'errors'] },
  {
    name: 'domain',
    files: /^lib\/domain\//,
    imports: ['db', 'credentials', 'mail', 'billing', 'ai', 'env', 'errors', 'with-timeout'],
  },
  { name: 'mail', files: /^lib\/mail\//, imports: ['env', 'errors'] },
  { name: 'billing', files: /^lib\/billing\//, imports: ['env', 'errors'] },
  { name: 'ai', files: /^lib\/ai\//, imports: ['env', 'errors'] },
  { name: 'db', files: /^lib\/db\//, imports: ['env', 'errors', 'with-timeout'] },
  { name: 'env', files: /^lib\/env(-formats)?\.ts$/, imports: [] },
  { name: 'errors', files: /^lib\/errors\.ts$/, imports: [] },
  { name: 'with-timeout', files: /^lib\/with-timeout\.ts$/, imports: [] },
  {
    name: 'development server',
    files: /^scripts\/dev\.ts$/,
    imports: ['scripts', 'embedded database', 'http', 'api', 'domain', 'db', 'env'],
  },
  { name: 'embedded database', files: /^scripts\/embedded-db\//, imports: [] },
  {
    name: 'scripts',
    files: /^scripts\//,
    imports: ['embedded database', 'domain', 'credentials', 'db', 'mail', 'env', 'errors'],
  },
  // What the product is compared with: of the product it has rules alone, and nobody has anything of it.
  { name: 'baseline', files: /^bench\/baseline\//, imports: ['domain'] },
]

const UNRESTRICTED = /^(test|bench)\/|^[^/]+\.ts$/
const MAXIMUM_ROUTE_LINES = 40

/** Routes that old clients know by another name as well. */
const ALIASED_ROUTES = new Set(['api/auth/register.ts', 'api/auth/logout.ts'])

/** What must not come along with these files, however far away it is imported, and who it is for. */
const RESERVED: readonly { layer: string; from: RegExp; for: readonly string[] }[] = [
  // It weighs too much.
  { layer: 'ai', from: /^api\//, for: ['api/chat.ts'] },
  // It has a driver of its own.
  { layer: 'db', from: /^bench\/baseline\//, for: ['the product'] },
]
const REGISTRY = 'lib/domain/registry.ts'

/** Checks the rules of the architecture; an empty list means that all of them hold. */
export function findViolations(project: Project): Violation[] {
  const sources = [...project.files]
    .filter(([path]) => path.endsWith('.ts'))
    .map(([path, text]) => parseSource(path, text))
  return [
    ...sources.flatMap(importViolations),
    ...circles(sources),
    ...reservedViolations(sources),
    ...sources.flatMap(environmentViolations),
    ...[...project.files.keys()].flatMap(fileNameViolations),
    ...[...project.files.keys()].flatMap(apiDirectoryViolations),
    ...sources.flatMap(routeViolations),
    ...registryViolations(sources),
    ...dependencyViolations(sources, project.packageJson),
    ...cronViolations(project),
  ]
}

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(layer => layer.files.test(path))
}

function importViolations(source: SourceFile): Violation[] {
  const file = source.path
  const layer = layerOf(file)
  if (!layer && !UNRESTRICTED.test(file)) {
    return [{ file, rule: 'belongs to no layer of the architecture: name one before adding it' }]
  }
  return source.imports.flatMap(({ specifier, target }) => {
    if (target === undefined) return []
    const violations: Violation[] = []
    if (!/\.(js|json)$/.test(specifier)) {
      violations.push({ file, rule: `imports '${specifier}': relative imports end in .js` })
    }
    if (layer && !mayImport(layer, target)) {
      violations.push({
        file,
        rule: `${layer.name} must not import ${layerOf(target)?.name ?? target} (${target})`,
      })
    }
    if (file.startsWith('bench/') && target.startsWith('test/')) {
      violations.push({ file, rule: `bench must not import tests (${target})` })
    }
    return violations
  })
}

function mayImport(layer: Layer, target: string): boolean {
  const targetLayer = layerOf(target)
  if (!targetLayer) return target.endsWith('.json')
  // A route is a function of its own: what two routes share belongs below them. Another name of a route is no second
  // one.
  if (targetLayer === layer) return layer.name !== 'api' || ALIASED_ROUTES.has(target)
  return layer.imports.includes(targetLayer.name) || layer.importsFile === target
}

// Tarjan's strongly connected components: every component of more than one file is a circle.
function circles(sources: readonly SourceFile[]): Violation[] {
  const targets = new Map(sources.map(({ path, imports }) => [path, imports.map(({ target }) => target)]))
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const found: Violation[] = []

  const visit = (path: string): number => {
    const index = order.size
    order.set(path, index)
    lowest.set(path, index)
    stack.push(path)
    for (const target of targets.get(path) ?? []) {
      if (target === undefined || !targets.has(target)) continue
      const reached = order.has(target) ? stack.includes(target) && order.get(target) : visit(target)
      if (typeof reached === 'number') lowest.set(path, Math.min(lowest.get(path) ?? index, reached))
    }
    if (lowest.get(path) === index) {
      const members = stack.splice(stack.indexOf(path)).sort()
      const importsItself = targets.get(path)?.includes(path)
      if (members.length > 1 || importsItself) {
        found.push({ file: members[0] ?? path, rule: `imports run in a circle: ${members.join(', ')}` })
      }
    }
    return lowest.get(path) ?? index
  }

  for (const { path } of sources) if (!order.has(path)) visit(path)
  return found
}

function reservedViolations(sources: readonly SourceFile[]): Violation[] {
  const imports = new Map(sources.map(source => [source.path, source.imports]))
  const reachable = (path: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(path)) return seen
    seen.add(path)
    for (const { target, typeOnly } of imports.get(path) ?? [])
      if (target !== undefined && !typeOnly) reachable(target, seen)
    return seen
  }
  return sources.flatMap(({ path }) => {
    const reserved = RESERVED.filter(({ from, for: allowed }) => from.test(path) && !allowed.includes(path))
    if (reserved.length === 0) return []
    const layers = new Set([...reachable(path)].map(file => layerOf(file)?.name))
    return reserved
      .filter(({ layer }) => layers.has(layer))
      .map(({ layer, for: allowed }) => ({
        file: path,
        rule: `brings ${layer} along, which is for ${allowed.join(', ')} only`,
      }))
  })
}

function environmentViolations({ path, readsEnvironment }: SourceFile): Violation[] {
  if (!readsEnvironment || !/^(api|lib)\//.test(path) || path === 'lib/env.ts') return []
  return [{ file: path, rule: 'only lib/env.ts reads process.env' }]
}

/** Documents are named as every repository names them: README.md, RESULTS.md. */
const DOCUMENT = /^[A-Z]+\.md$/

// Biome lints file names but not directories, and `[id]` directories it never sees at all.
function fileNameViolations(path: string): Violation[] {
  const allowed = /^([a-z0-9]+(-[a-z0-9]+)*|\[(\.\.\.)?[a-z][a-zA-Z0-9]*\])(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
  if (path.split('/').every(segment => allowed.test(segment) || DOCUMENT.test(segment))) return []
  return [
    { file: path, rule: 'file and directory names are kebab-case, or [camelCase] for a path parameter' },
  ]
}

function apiDirectoryViolations(path: string): Violation[] {
  if (!path.startsWith('api/')) return []
  if (path.endsWith('.test.ts'))
    return [{ file: path, rule: 'tests live under test/: here Vercel would serve them' }]
  return path.endsWith('.ts') ? [] : [{ file: path, rule: 'api/ holds routes only' }]
}

function routeViolations({ path, lines, imports, served }: SourceFile): Violation[] {
  if (!path.startsWith('api/') || path.endsWith('.test.ts')) return []
  const rules: string[] = []
  if (lines > MAXIMUM_ROUTE_LINES) rules.push(`${lines} lines: a route has at most ${MAXIMUM_ROUTE_LINES}`)
  if (imports.some(({ specifier }) => packageName(specifier) === 'mongodb')) {
    rules.push('a route must not import mongodb')
  }
  const template = routeTemplate(path)
  if (!served) rules.push('a route default-exports serve(…)')
  else if (served.template !== template) {
    rules.push(`serve() is given ${served.template ?? 'no path'}, but the file is served at ${template}`)
  }
  return rules.map(rule => ({ file: path, rule }))
}

function routeTemplate(path: string): string {
  const withoutExtension = `/${path.replace(/\.ts$/, '').replace(/\/index$/, '')}`
  return withoutExtension.replace(/\[(\w+)\]/g, ':$1')
}

function registryViolations(sources: readonly SourceFile[]): Violation[] {
  const registered = sources.find(({ path }) => path === REGISTRY)?.imports.map(({ target }) => target) ?? []
  return sources
    .filter(({ path, callsCollection }) => callsCollection && path.startsWith('lib/') && path !== REGISTRY)
    .flatMap(({ path }) => {
      if (!path.startsWith('lib/domain/'))
        return [{ file: path, rule: 'collections are declared in lib/domain' }]
      return registered.includes(path)
        ? []
        : [{ file: path, rule: `its collection is missing from ${REGISTRY}` }]
    })
}

function dependencyViolations(
  sources: readonly SourceFile[],
  { dependencies = {}, devDependencies = {} }: Project['packageJson'],
): Violation[] {
  const violations: Violation[] = []
  const deployed = new Set<string>()
  for (const { path, imports } of sources) {
    const isDeployed = /^(api|lib)\//.test(path)
    for (const { specifier } of imports) {
      const name = packageName(specifier)
      if (name === undefined) continue
      if (isDeployed) deployed.add(name)
      if (name in dependencies || (!isDeployed && name in devDependencies)) continue
      const where = isDeployed ? 'dependencies' : 'dependencies or devDependencies'
      violations.push({ file: path, rule: `imports ${name}, which is not in ${where}` })
    }
  }
  for (const name of Object.keys(dependencies)) {
    if (deployed.has(name)) continue
    violations.push({
      file: 'package.json',
      rule: `${name} belongs in devDependencies: api/ and lib/ do not import it`,
    })
  }
  return violations
}

/** The package a bare specifier names; nothing for a relative path or a part of Node. */
function packageName(specifier: string): string | undefined {
  if (/^(\.|node:)/.test(specifier)) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  return builtinModules.includes(name) ? undefined : name
}

function cronViolations({ files, vercelJson }: Project): Violation[] {
  return (vercelJson.crons ?? []).flatMap(({ path }) => {
    const route = posix.join('.', path.replace(/\?.*$/, ''))
    const exists = files.has(`${route}.ts`) || files.has(`${route}/index.ts`)
    return exists ? [] : [{ file: 'vercel.json', rule: `the cron ${path} has no file` }]
  })
}
