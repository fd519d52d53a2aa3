import type { BuiltFunction } from './build-function.js'
import type { FunctionCall } from './call-function.js'

/**
 * The most that a function may take, unpacked. The driver and zod with their dependencies are 4 MB, libphonenumber
 * is 1, nodemailer, jose and bcrypt are 1.6: maintenance needs them all, and is the largest at 6.8. What is left is
 * room for our own code, and none for another package of that kind that came along unnoticed.
 */
export const SIZE_BUDGET_BYTES = 7_500_000

/** Of functions that are there for such a package: the AI SDK is 3.5 MB, and chat has 7.7 with it. */
const OWN_BUDGETS_BYTES = new Map([['api/chat.ts', 8_200_000]])

/** The most that the function of a file may take. */
export function sizeBudgetOf(file: string): number {
  return OWN_BUDGETS_BYTES.get(file) ?? SIZE_BUDGET_BYTES
}

const NEVER_DEPLOYED = /^(scripts|test|bench|public)\/|(^|\/)\.env|\.tsx?$/

/** What is wrong with a built function. */
export function checkFunction(
  { files, bytes }: BuiltFunction,
  { answers }: FunctionCall,
  budget: number = SIZE_BUDGET_BYTES,
): string[] {
  const problems = files
    .filter(file => NEVER_DEPLOYED.test(file) && !file.startsWith('node_modules/'))
    .map(file => `holds ${file}`)
  if (bytes > budget) problems.push(`has ${bytes} bytes, which is over the budget of ${budget}`)
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
