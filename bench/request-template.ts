import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { ACCOUNTS, numberAt } from './account-numbers.js'

/**
 * A request as data, so that it can be handed to the process that sends it. `{{uuid}}`, `{{phone}}` and
 * `{{address}}` in the path, a header or the body stand for a value that every request has anew, `{{session}}` and
 * `{{number}}` for one that those that go before it share.
 */
export interface RequestTemplate {
  method: 'GET' | 'POST'
  path: string
  headers: Readonly<Record<string, string>>
  body?: string
  /** The status of an answer that counts; any other ends the run. */
  expects: number
  /** What is sent before it, one after the other: they are measured as one. */
  goesAfter?: RequestTemplate
}

/** One request, with every value filled in. */
export interface FilledRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: string | undefined
  expects: number
}

/** What the requests of one series share. */
interface Shared {
  session: string
  number: string
}

type Value = (shared: Shared) => string

const VALUES: Readonly<Record<string, Value>> = {
  uuid: () => randomUUID(),
  phone: newPhone,
  /** An address of a private network, so that requests come from as many clients. */
  address: () => `10.${[...randomBytes(3)].join('.')}`,
  /** A new call. */
  session: ({ session }) => session,
  /** The called number, of one of the accounts. */
  number: ({ number }) => number,
}

/** Three digits that come twice. */
const REPETITION = /(?=(\d{3}))\d(?=\d*\1)/

/**
 * An Indian mobile number in E.164: any nine digits may follow the first 9. Without a repetition, so that each has as
 * many search keys.
 */
function newPhone(): string {
  const phone = `+919${randomInt(1_000_000_000).toString().padStart(9, '0')}`
  return REPETITION.test(phone) ? newPhone() : phone
}

/** Makes a function that fills in the template and what it goes after, in their order. They are cut up once. */
export function requestsOf(template: RequestTemplate): () => FilledRequest[] {
  const series = seriesOf(template).map(requestOf)
  return () => {
    const shared = { session: randomUUID(), number: numberAt(randomInt(ACCOUNTS)) }
    return series.map(fill => fill(shared))
  }
}

function seriesOf(template: RequestTemplate): RequestTemplate[] {
  return [...(template.goesAfter ? seriesOf(template.goesAfter) : []), template]
}

function requestOf(template: RequestTemplate): (shared: Shared) => FilledRequest {
  const { method, expects } = template
  const path = filler(template.path)
  const headers = Object.entries(template.headers).map(([name, value]) => [name, filler(value)] as const)
  const body = template.body === undefined ? undefined : filler(template.body)
  return shared => ({
    method,
    path: path(shared),
    headers: Object.fromEntries(headers.map(([name, fill]) => [name, fill(shared)])),
    body: body?.(shared),
    expects,
  })
}

function filler(text: string): Value {
  const parts = text.split(/\{\{(\w+)\}\}/).map((part, i): Value => {
    if (i % 2 === 0) return () => part
    const value = VALUES[part]
    if (value === undefined) throw new Error(`{{${part}}} stands for nothing`)
    return value
  })
  const [only] = parts
  return parts.length === 1 && only ? only : shared => parts.map(part => part(shared)).join('')
}
