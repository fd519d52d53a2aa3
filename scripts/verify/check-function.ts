import type { BuiltFunction } from './build-function.js'
import type { FunctionCall } from './call-function.js'

/**
 * The most that a function may take, unpacked. The driver and zod with their dependencies are 4 MB, libphonenumber
 * is 1, nodemailer, jose and bcrypt are 1.6: maintenance needs them all, and is the largest at 6.8. What is left is
 * room for our own code, and none for another package of that kind that came along unnoticed.
 */
export const SIZE_BUDGET_BYTES = 7_500_000

/** What a few functions are there for, on top of the budget; no other function may hold it. */
const EXTRAS: readonly { holds: string; bytes: number; functions: RegExp }[] = [
  // In each of its two module formats; loaded when Stripe is asked. Beside billing it is in what reaches the whole of
  // the domain: the erasure of accounts, maintenance and health.
  {
    holds: 'stripe',
    bytes: 2_400_000,
    functions: /^api\/(billing\/|cron\/maintain\.|health\.|user\/(export|index)\.)/,
  },
  // 3.5 MB, in a function that has neither mail nor passwords.
  { holds: 'ai', bytes: 1_200_000, functions: /^api\/chat\./ },
]

const NEVER_DEPLOYED = /^(scripts|test|bench|public)\/|(^|\/)\.env|\.tsx?$/

/** What is wrong with a built function. */
export function checkFunction({ handler, files, bytes }: BuiltFunction, { answers }: FunctionCall): string[] {
  const problems = files
    .filter(file => NEVER_DEPLOYED.test(file) && !file.startsWith('node_modules/'))
    .map(file => `holds ${file}`)
  const extras = EXTRAS.filter(({ functions }) => functions.test(handler))
  const budget = extras.reduce((sum, extra) => sum + extra.bytes, SIZE_BUDGET_BYTES)
  if (bytes > budget) problems.push(`has ${bytes} bytes, which is over the budget of ${budget}`)
  for (const { holds } of EXTRAS.filter(extra => !extras.includes(extra)))
    if (files.some(file => file.startsWith(`node_modules/${holds}/`)))
      problems.push(`holds node_modules/${holds}, which it has no use for`)
  for (const [method, { status, body }] of Object.entries(answers))
    if (!isInContract(status, body)) problems.push(`answers ${method} with ${status} ${body.slice(0, 200)}`)
  return problems
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
