import type { BuiltFunction } from './build-function.js'
import type { FunctionCall } from './call-function.js'

/**
 * The most that a function may take, unpacked. The driver and zod with their dependencies are 4 MB, libphonenumber
 * is 1, nodemailer, jose and bcrypt are 1.6: maintenance needs them all, and is the largest at 6.8. What is left is
 * room for our own code, and none for another package of that kind that came along unnoticed.
 */
export const SIZE_BUDGET_BYTES = 7_500_000

/**
 * What Stripe's library takes on top, in each of its two module formats; it is loaded when Stripe is asked. Only
 * billing has it, and what reaches the whole of the domain: the erasure of accounts, maintenance and health.
 */
const STRIPE_BYTES = 2_400_000
const MAY_HOLD_STRIPE = /^api\/(billing\/|cron\/maintain\.|health\.|user\/(export|index)\.)/

const NEVER_DEPLOYED = /^(scripts|test|bench|public)\/|(^|\/)\.env|\.tsx?$/

/** What is wrong with a built function. */
export function checkFunction({ handler, files, bytes }: BuiltFunction, { answers }: FunctionCall): string[] {
  const problems = files
    .filter(file => NEVER_DEPLOYED.test(file) && !file.startsWith('node_modules/'))
    .map(file => `holds ${file}`)
  const mayHoldStripe = MAY_HOLD_STRIPE.test(handler)
  const budget = SIZE_BUDGET_BYTES + (mayHoldStripe ? STRIPE_BYTES : 0)
  if (bytes > budget) problems.push(`has ${bytes} bytes, which is over the budget of ${budget}`)
  if (!mayHoldStripe && files.some(file => file.startsWith('node_modules/stripe/')))
    problems.push('holds node_modules/stripe, which is for billing')
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
