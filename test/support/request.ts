import type { ServedRoute } from '../../lib/http/serve.js'

/** What a route's file exports by default, as far as a client sees it. */
export interface Fetchable {
  fetch(request: Request): Promise<Response>
}

export interface CallOptions {
  /**
   * An object or array is sent as JSON with its content type; a string or bytes as they are and without one; a
   * stream without a length.
   */
  body?: unknown
  /** On top of what the other options set, and in place of it; null takes a header away. */
  headers?: Readonly<Record<string, string | null>>
  /** The page that asks. None by default, as from a server or a command line. */
  origin?: string
  /** The address as the platform saw it. */
  ip?: string
  /** Sent as `Authorization: Bearer …`. */
  token?: string
}

export interface Answer<T> {
  status: number
  headers: Headers
  text: string
  /** What the text says as JSON; undefined where there is no text. */
  body: T
}

/** Where the deployment under test says that it is. */
const DEPLOYMENT = 'https://leadline.example'

/** The bootstrap token of the deployment under test. */
export function adminToken(): string {
  return process.env.ADMIN_TOKEN ?? ''
}

/**
 * Calls a route as a client would, through everything but the socket, and reads the answer. With `TEST_SHAPE=single`
 * a route of the API is reached through the single function.
 *
 * @param path with its query, from the root: `/api/leads?limit=2`.
 * @throws {SyntaxError} for an answer that is not JSON.
 */
export async function call<T = unknown>(
  route: Fetchable,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer<T>> {
  const { payload, type, length } = encode(options.body)
  const headers = new Headers({ 'x-real-ip': options.ip ?? '203.0.113.7' })
  if (type !== undefined) headers.set('content-type', type)
  if (length !== undefined) headers.set('content-length', String(length))
  if (options.origin !== undefined) headers.set('origin', options.origin)
  if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`)
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value === null) headers.delete(name)
    else headers.set(name, value)
  }

  const request = new Request(`${DEPLOYMENT}${path}`, {
    method,
    headers,
    ...(payload !== undefined && { body: payload, duplex: 'half' }),
  })
  const deployed = process.env.TEST_SHAPE === 'single' ? await inSingleFunction(route, path) : route
  const response = await deployed.fetch(request)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  const body = (isJson && text !== '' ? JSON.parse(text) : undefined) as T
  return { status: response.status, headers: response.headers, text, body }
}

// A route that a test made or mocked is its own, and so is one that is asked for another's path.
async function inSingleFunction(route: Fetchable & Partial<ServedRoute>, path: string): Promise<Fetchable> {
  const { findTemplate, routes } = await import('../../lib/single/routes.js')
  const template = findTemplate(new URL(`${DEPLOYMENT}${path}`).pathname)
  if (template === undefined || template !== route.path) return route
  const deployed = await routes[template]?.()
  return deployed?.default === route ? (await import('../../lib/single/function.js')).default : route
}

function encode(body: unknown): {
  payload?: Uint8Array<ArrayBuffer> | ReadableStream
  type?: string
  length?: number
} {
  if (body === undefined) return {}
  if (body instanceof ReadableStream) return { payload: body }
  // As bytes even where it is text: for text, the Request would add a content type of its own.
  if (typeof body === 'string') return sized(new TextEncoder().encode(body))
  if (body instanceof Uint8Array) return sized(new Uint8Array(body))
  return { ...sized(new TextEncoder().encode(JSON.stringify(body))), type: 'application/json' }
}

function sized(payload: Uint8Array<ArrayBuffer>): { payload: Uint8Array<ArrayBuffer>; length: number } {
  return { payload, length: payload.length }
}
