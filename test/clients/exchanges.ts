import { readFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request as openRequest } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** What a generation of a client sends, and the answer that it was made for. */
export interface Exchange {
  method: string
  /** Like headers and body, with `{name}` for what an earlier answer said. */
  path: string
  headers: Record<string, string>
  body?: string
  /** What later exchanges need of the answer: names, and where in the answer each is. */
  keeps?: Record<string, string>
  expects: { status: number; headers: string[]; shape?: Shape }
}

/** The name of a type, the shape of an array's elements (none: any), or a shape for each field. */
type Shape = string | Shape[] | { [field: string]: Shape }

export interface Received {
  status: number
  headers: IncomingHttpHeaders
  body: unknown
}

export function readExchanges(name: string): Exchange[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')).exchanges
}

/** Sends exactly these headers and this body, as no `fetch` would: a browser sets its headers itself. */
export function send(
  server: string,
  { method, path, headers, body }: Pick<Exchange, 'method' | 'path' | 'headers' | 'body'>,
): Promise<Received> {
  const bytes = body === undefined ? undefined : Buffer.from(body)
  const length = bytes && { 'content-length': String(bytes.length) }
  return new Promise((resolve, reject) => {
    const request = openRequest(`${server}${path}`, { method, headers: { ...headers, ...length } })
    request.on('error', reject)
    request.on('response', async response => {
      const received = await text(response)
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: received === '' ? undefined : JSON.parse(received),
      })
    })
    request.end(bytes)
  })
}

/** Sends one exchange after the other, each with what the answers before it said. */
export async function* replay(
  server: string,
  exchanges: readonly Exchange[],
): AsyncGenerator<{ exchange: Exchange; received: Received }> {
  const kept = new Map<string, string>()
  const fill = (template: string) => template.replace(/\{(\w+)\}/g, (all, name) => kept.get(name) ?? all)
  for (const exchange of exchanges) {
    const headers = Object.fromEntries(
      Object.entries(exchange.headers).map(([name, value]) => [name, fill(value)]),
    )
    const body = exchange.body === undefined ? {} : { body: fill(exchange.body) }
    const received = await send(server, { ...exchange, path: fill(exchange.path), headers, ...body })
    for (const [name, path] of Object.entries(exchange.keeps ?? {}))
      kept.set(name, String(valueAt(received.body, path)))
    yield { exchange, received }
  }
}

/** Where a value is not of a shape; more fields than the shape names are fine. */
export function misfits(value: unknown, shape: Shape, path = ''): string[] {
  if (typeof shape === 'string') return typeof value === shape ? [] : [`${path} is no ${shape}`]
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${path} is no array`]
    const [element] = shape
    return element === undefined ? [] : value.flatMap((item, i) => misfits(item, element, `${path}.${i}`))
  }
  if (typeof value !== 'object' || value === null) return [`${path} is no object`]
  return Object.entries(shape).flatMap(([field, inner]) =>
    misfits(fieldOf(value, field), inner, `${path}.${field}`),
  )
}

function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (at, field) => (typeof at === 'object' && at !== null ? fieldOf(at, field) : undefined),
      value,
    )
}

function fieldOf(value: object, field: string): unknown {
  return new Map<string, unknown>(Object.entries(value)).get(field)
}
