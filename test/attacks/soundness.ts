import { z } from 'zod'
import { errorTable } from '../../lib/errors.js'
import type { DeclaredVerb } from '../support/declared-routes.js'
import type { Answer } from '../support/request.js'

/** What only our own code, its libraries and its database say, and no client may read. */
const INTERNALS =
  /\bat .{0,200}\.[cm]?[jt]s:\d+|node_modules|node:internal|\bMongo[A-Z]\w*|\bE11000\b|\bBSON|\bZod|\bTypeError\b|\bRangeError\b|\bReferenceError\b|\bSyntaxError\b|is not a function|Cannot read propert|ECONNREFUSED|\bcodeName\b|errmsg|writeErrors/

const ErrorEnvelope = z.strictObject({
  success: z.literal(false),
  code: z.enum(Object.keys(errorTable) as [keyof typeof errorTable]),
  error: z.string().min(1),
  message: z.string().min(1),
  details: z
    .array(z.strictObject({ path: z.string(), message: z.string().min(1) }))
    .min(1)
    .optional(),
  requestId: z.string().regex(/^[\w.:-]{1,128}$/),
})

/** What is wrong with an answer, whatever was asked for; undefined where it is sound. */
export type Judge = (method: string, answer: Answer<unknown>) => string | undefined

/** The judge of the answers of a route, by what it declares. */
export function judgeOf({ declaration: { responses } }: DeclaredVerb): Judge {
  const successes = new Map(
    Object.entries(responses).map(([status, { schema }]) => [Number(status), schema && asSent(schema)]),
  )
  return (method, answer) => {
    const { status, headers, text, body } = answer
    const leaked = INTERNALS.exec(text + JSON.stringify([...headers]))
    if (leaked) return `says ${leaked[0]}`
    if (status >= 500) return `fails: ${text}`
    // No body, and no answer of the verb that is declared.
    if (method === 'OPTIONS' || method === 'HEAD' || status === 304) return undefined
    if (status >= 400) return envelopeProblem(answer)
    if (!successes.has(status)) return 'is a status that is not declared'
    const schema = successes.get(status)
    if (!schema) return undefined
    // The account routes declare what is in their envelope.
    const data = (body as { success?: true; data?: unknown } | undefined)?.data
    const problems = [body, data].map(part => schema.safeParse(part).error)
    if (problems.includes(undefined)) return undefined
    return `is not what is declared: ${z.prettifyError((data === undefined ? problems[0] : problems[1]) as z.ZodError)}\n${text}`
  }
}

function envelopeProblem({ status, headers, body }: Answer<unknown>): string | undefined {
  const { data, error } = ErrorEnvelope.safeParse(body)
  if (!data) return `is not in the envelope: ${z.prettifyError(error)}`
  if (errorTable[data.code].status !== status) return `is a ${status} with the code ${data.code}`
  if (data.error !== data.message) return 'says two things'
  if (data.requestId !== headers.get('x-request-id')) return 'has two request ids'
  if (headers.get('cache-control') !== 'no-store') return 'is an error that may be kept'
  return undefined
}

/** What a schema is once it went through JSON: a Date is a text, and nothing is there that is not declared. */
function asSent(schema: z.ZodType): z.ZodType {
  const json = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date')
        Object.assign(jsonSchema, { type: 'string', format: 'date-time' })
    },
  })
  return z.fromJSONSchema(json)
}
