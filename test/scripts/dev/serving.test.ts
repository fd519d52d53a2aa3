import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as openRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type DevProcess, startDev, UNUSED_DATABASE } from '../support/dev-process.js'

const root = join(import.meta.dirname, '..', 'fixtures', 'functions')
const LIMIT = 4.5 * 1024 * 1024

let data: string
let dev: DevProcess

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'leadline-data-'))
  dev = await startDev(root, {
    MONGODB_URI: UNUSED_DATABASE.MONGO_URI,
    DATA_DIRECTORY: data,
    CRON_SECRET: 'given-cron-secret',
    NOTES: join(data, 'notes'),
  })
}, 120_000)

afterAll(async () => {
  await dev?.end()
  rmSync(data, { recursive: true, force: true })
})

function notes(): string {
  return readFileSync(join(data, 'notes'), 'utf8')
}

/** A request with a header or body that `fetch` would not send. */
function send(path: string, options: { method?: string; headers?: Record<string, string>; body?: Readable }) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const request = openRequest(`${dev.url}${path}`, {
      method: options.method ?? 'GET',
      headers: options.headers,
    })
    request.on('error', reject)
    request.on('response', async response => {
      resolve({ status: response.statusCode ?? 0, body: await text(response) })
    })
    if (options.body) options.body.pipe(request)
    else request.end()
  })
}

describe('what a function gets', () => {
  it('is the database, the secrets and the environment', async () => {
    const variables = await (await fetch(`${dev.url}/api/environment`)).json()
    const secrets = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8'))
    expect(variables).toMatchObject({
      MONGO_URI: UNUSED_DATABASE.MONGO_URI,
      ADMIN_TOKEN: secrets.ADMIN_TOKEN,
      CRON_SECRET: 'given-cron-secret',
      AUTH_SECRET: secrets.AUTH_SECRET,
      NODE_ENV: 'development',
      DATA_DIRECTORY: data,
      APP_URL: dev.url,
    })
    expect(variables).not.toHaveProperty('MONGODB_URI')
    expect(secrets).not.toHaveProperty('CRON_SECRET')
  })

  it('says who the client is, whatever the client says', async () => {
    const forged = {
      'x-real-ip': '203.0.113.9',
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-vercel-forwarded-for': '203.0.113.9',
      'x-vercel-ip-country': 'ZZ',
      'x-leadline-function-file': 'api/throws.ts',
      forwarded: 'for=203.0.113.9',
    }
    const answer = await fetch(`${dev.url}/api/echo`, { headers: forged })
    const { url, headers } = JSON.parse(await answer.text())
    const host = new URL(dev.url).host
    expect(url).toBe(`http://${host}/api/echo`)
    expect(headers).toMatchObject({
      host,
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-vercel-forwarded-for': '127.0.0.1',
      'x-forwarded-host': host,
      'x-forwarded-proto': 'http',
    })
    for (const name of ['x-vercel-ip-country', 'x-leadline-function-file', 'forwarded'])
      expect(headers).not.toHaveProperty(name)
  })

  it('may be told the host that the client means, but nothing that is no host', async () => {
    const named = await send('/api/echo', { headers: { host: 'shop.example:8080' } })
    expect(JSON.parse(named.body).url).toBe('http://shop.example:8080/api/echo')
    expect(await send('/api/echo', { headers: { host: 'a/b?c' } })).toMatchObject({ status: 400 })
  })
})

describe('the size of a body', () => {
  const bytes = (length: number) => Readable.from([Buffer.alloc(length - 1, 'a'), Buffer.alloc(1, 'a')])

  it('may be 4.5 MB', async () => {
    const answer = await fetch(`${dev.url}/api/echo`, { method: 'POST', body: Buffer.alloc(LIMIT) })
    expect(await answer.json()).toMatchObject({ length: LIMIT })
    const streamed = await send('/api/echo', { method: 'POST', body: bytes(LIMIT) })
    expect(JSON.parse(streamed.body)).toMatchObject({ length: LIMIT })
  })

  it('is no larger, announced or not', async () => {
    const tooLarge = { status: 413, body: 'Request Entity Too Large\n\nFUNCTION_PAYLOAD_TOO_LARGE\n' }
    const announced = { 'content-length': String(LIMIT + 1) }
    expect(await send('/api/echo', { method: 'POST', headers: announced, body: bytes(LIMIT + 1) })).toEqual(
      tooLarge,
    )
    expect(await send('/api/echo', { method: 'POST', body: bytes(LIMIT + 1) })).toEqual(tooLarge)
  })

  it('is not taken for another request, whatever the method', async () => {
    const smuggled =
      'GET /api/crashes HTTP/1.1\r\nhost: a\r\nx-leadline-function-file: api/crashes.ts\r\n\r\n'
    for (const method of ['DELETE', 'OPTIONS', 'PATCH']) {
      const headers = { 'transfer-encoding': 'chunked' }
      const { body } = await send('/api/echo', { method, headers, body: Readable.from([smuggled]) })
      expect(JSON.parse(body)).toMatchObject({ method, length: smuggled.length })
    }
    expect(dev.output()).not.toContain('ended with code 7')
  })

  it('does not matter to a function that does not read it, nor to those after it', async () => {
    for (const length of [LIMIT - 1, LIMIT * 2])
      expect(await send('/api/unread', { method: 'POST', body: bytes(length) })).toMatchObject({
        body: length < LIMIT ? 'unread' : expect.stringMatching(/unread|TOO_LARGE/),
      })
    expect((await fetch(`${dev.url}/api/unread`)).status).toBe(200)
  })
})

describe('a body that does not come', () => {
  /** Announces a body, sends one byte of it and leaves it at that. */
  function stall(path: string) {
    const request = openRequest(`${dev.url}${path}`, {
      method: 'POST',
      headers: { 'content-length': '1000' },
    })
    const answered = new Promise<number>(resolve => {
      request.on('response', ({ statusCode = 0 }) => resolve(statusCode))
      request.on('error', () => resolve(0))
    })
    request.write('a')
    return { answered, leave: () => request.destroy() }
  }

  it('keeps nobody else waiting', async () => {
    const stalled = Array.from({ length: 100 }, () => stall('/api/echo'))
    for (let i = 0; i < 5; i++)
      expect(await send('/api/echo', { method: 'POST', body: Readable.from(['b']) })).toMatchObject({
        status: 203,
      })
    for (const { leave } of stalled) leave()
    expect((await fetch(`${dev.url}/api/unread`)).status).toBe(200)
  })

  it('is waited for no longer than the function may take', async () => {
    const { answered, leave } = stall('/api/endless')
    expect(await answered).toBe(504)
    leave()
  })
})

describe('an answer', () => {
  it('is streamed as it comes', async () => {
    const reader = (await fetch(`${dev.url}/api/stream`)).body?.getReader()
    const first = await reader?.read()
    expect(Buffer.from(first?.value ?? []).toString()).toBe('first,')
    await fetch(`${dev.url}/api/stream`, { method: 'POST' })
    const last = await reader?.read()
    expect(Buffer.from(last?.value ?? []).toString()).toBe('last')
    expect((await reader?.read())?.done).toBe(true)
  })

  it("has the headers of vercel.json, the function's own before them, and no caching unless it says so", async () => {
    const { headers } = await fetch(`${dev.url}/api/echo`)
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-everywhere': '1',
      'x-function': 'echo',
      'cache-control': 'public, max-age=0, must-revalidate',
    })
  })

  it('is a 500 where the function throws, with the stack on the terminal alone', async () => {
    const answer = await fetch(`${dev.url}/api/throws`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).toBe('A server error has occurred\n\nFUNCTION_INVOCATION_FAILED\n')
    await vi.waitFor(() => expect(dev.output()).toMatch(/thrown on purpose\n\s+at .*throws\.ts:4/))
  })

  it('is a 500 that says what is wrong with a function of another kind', async () => {
    const answer = await fetch(`${dev.url}/api/no-fetch`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).toContain('api/no-fetch.ts: has no default export with a fetch function')
  })

  it('is cut off where the function fails in the middle, so that nobody takes half for the whole', async () => {
    await expect(fetch(`${dev.url}/api/breaks-off`).then(answer => answer.text())).rejects.toThrow()
  })

  it('is a 504 when the time of the function is over', async () => {
    const answer = await fetch(`${dev.url}/api/endless`)
    expect(answer.status).toBe(504)
    expect(answer.headers.get('x-vercel-error')).toBe('FUNCTION_INVOCATION_TIMEOUT')
  })

  it("is a 500 where the function ends its process, and the next request's is what it should be", async () => {
    for (let i = 0; i < 3; i++) {
      expect((await fetch(`${dev.url}/api/crashes`)).status).toBe(500)
      expect((await fetch(`${dev.url}/api/unread`)).status).toBe(200)
    }
    expect(dev.output()).toContain('ended with code 7')
  })

  it('is a 405 to a method that Vercel does not know', async () => {
    expect(await send('/api/echo', { method: 'PROPFIND' })).toMatchObject({ status: 405 })
  })
})

describe('a client that goes away', () => {
  async function leave(path: string, when: string): Promise<void> {
    const leaving = new AbortController()
    const left = fetch(`${dev.url}${path}`, { signal: leaving.signal }).catch(() => {})
    await vi.waitFor(() => expect(notes()).toContain(when), { timeout: 10_000 })
    leaving.abort()
    await left
  }

  it('does not end the work of its request, as on Vercel', async () => {
    await leave('/api/patient', 'patient: started')
    await vi.waitFor(() => expect(notes()).toContain('patient: finished, aborted false'), { timeout: 10_000 })
  })

  it('ends it where vercel.json says that the function supports cancellation', async () => {
    await leave('/api/cancelled', 'cancelled: started')
    await vi.waitFor(() => expect(notes()).toContain('cancelled: aborted'), { timeout: 10_000 })
  })
})

describe('a file', () => {
  it('has its type, the headers of vercel.json, and an ETag that saves the next download', async () => {
    const first = await fetch(`${dev.url}/data.json`)
    expect(await first.text()).toBe('{}\n')
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-length': '3',
      'x-everywhere': '1',
    })
    const etag = first.headers.get('etag') ?? ''
    const second = await fetch(`${dev.url}/data.json`, { headers: { 'if-none-match': `"other", W/${etag}` } })
    expect([second.status, await second.text()]).toEqual([304, ''])
  })

  it('answers HEAD without a body, and no other method', async () => {
    const head = await fetch(`${dev.url}/`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '39', ''])
    expect((await fetch(`${dev.url}/`, { method: 'POST' })).status).toBe(405)
  })
})
