import { randomBytes, randomInt, randomUUID } from 'node:crypto'

/**
 * A request as data, so that it can be handed to the process that sends it. `{{uuid}}`, `{{phone}}` and
 * `{{address}}` in the path, a header or the body stand for a value that every request has anew.
 */
export interface RequestTemplate {
  method: 'GET' | 'POST'
  path: string
  headers: Readonly<Record<string, string>>
  body?: string
  /** The status of an answer that counts; any other ends the run. */
  expects: number
}

/** One request, with every value filled in. */
export interface FilledRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: string | undefined
}

const FRESH: Readonly<Record<string, () => string>> = {
  uuid: randomUUID,
  /** An Indian mobile number in E.164: any nine digits may follow the first 9. */
  phone: () => `+919${randomInt(1_000_000_000).toString().padStart(9, '0')}`,
  /** An address of a private network, so that requests come from as many clients. */
  address: () => `10.${[...randomBytes(3)].join('.')}`,
}

/** Makes a function that fills in the template, cut up once. */
export function requestsOf(template: RequestTemplate): () => FilledRequest {
  const { method } = template
  const path = filler(template.path)
  const headers = Object.entries(template.headers).map(([name, value]) => [name, filler(value)] as const)
  const body = template.body === undefined ? undefined : filler(template.body)
  return () => ({
    method,
    path: path(),
    headers: Object.fromEntries(headers.map(([name, fill]) => [name, fill()])),
    body: body?.(),
  })
}

function filler(text: string): () => string {
  const parts = text.split(/\{\{(\w+)\}\}/).map((part, i) => {
    if (i % 2 === 0) return () => part
    const fresh = FRESH[part]
    if (fresh === undefined) throw new Error(`{{${part}}} stands for nothing`)
    return fresh
  })
  const [only] = parts
  return parts.length === 1 && only ? only : () => parts.map(part => part()).join('')
}
