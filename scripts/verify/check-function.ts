import type { BuiltFunction } from './build-function.js'
import type { FunctionCall } from './call-function.js'
import { PACKAGE_RULES, packageOf } from './packages.js'

/**
 * The most that a function may take, unpacked, beside the packages that only some may hold. The driver, zod and what
 * else every function needs are 4.4 MB; what is left is room for our own code, which is 0.5 MB where it is most, and
 * none for another package that came along unnoticed.
 */
export const BASE_BUDGET_BYTES = 5_000_000

const NEVER_DEPLOYED = /^(scripts|test|bench|public)\/|(^|\/)\.env|\.tsx?$/

/** What is wrong with a built function. */
export function checkFunction(built: BuiltFunction, { loaded, answers }: FunctionCall): string[] {
  return [
    ...checkFiles(built),
    ...checkPackages(built, loaded),
    ...answers
      .filter(({ status, body }) => !isInContract(status, body))
      .map(
        ({ path, method, status, body }) => `answers ${method} ${path} with ${status} ${body.slice(0, 200)}`,
      ),
  ]
}

/** The budget of a function, by the file that Vercel imports: what it may hold is added to the base. */
export function budgetOf(handler: string): number {
  return PACKAGE_RULES.filter(({ functions }) => functions.test(handler)).reduce(
    (sum, { bytes }) => sum + bytes,
    BASE_BUDGET_BYTES,
  )
}

function checkFiles({ handler, files, bytes }: BuiltFunction): string[] {
  const problems = files
    .filter(file => NEVER_DEPLOYED.test(file) && !file.startsWith('node_modules/'))
    .map(file => `holds ${file}`)
  const budget = budgetOf(handler)
  if (bytes > budget) problems.push(`has ${bytes} bytes, which is over its budget of ${budget}`)
  return problems
}

function checkPackages({ handler, files }: BuiltFunction, loaded: readonly string[]): string[] {
  const problems: string[] = []
  const early = packagesOf(loaded)
  for (const name of packagesOf(files)) {
    const rule = PACKAGE_RULES.find(({ packages }) => packages.includes(name))
    if (!rule) problems.push(`holds ${name}, which scripts/verify/packages.ts does not know`)
    else if (!rule.functions.test(handler))
      problems.push(`holds ${name}, which is for ${rule.for}: import less, or say there that it needs it`)
    else if (early.has(name) && !rule.atImport)
      problems.push(`loads ${name} at import: import it where it is used`)
  }
  return problems
}

function packagesOf(files: readonly string[]): Set<string> {
  return new Set(files.map(packageOf).filter(name => name !== undefined))
}

// Without a database a function may say that it is not configured (501) or not available (503). Anything else
// from 500 up is a crash, and every error has the contract's envelope.
function isInContract(status: number, body: string): boolean {
  if (status < 400) return true
  if (status >= 500 && status !== 501 && status !== 503) return false
  const envelope = parseJson(body)
  return (
    envelope?.success === false && typeof envelope.code === 'string' && typeof envelope.requestId === 'string'
  )
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
