import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

const MAX_BYTES = 1_000

const echo = serve('/api/echo', {
  POST: route(
    {
      summary: 'Echo',
      access: 'public',
      limit: 'config',
      body: z.unknown(),
      maxBodyBytes: MAX_BYTES,
      responses: { 200: { description: 'The body' } },
    },
    ({ body }) => ok({ body: body === undefined ? 'nothing' : body }),
  ),
  PUT: route(
    {
      summary: 'Echo of an object',
      access: 'public',
      limit: 'config',
      body: z.object({ phone: z.string() }),
      responses: { 200: { description: 'The body' } },
    },
    ({ body }) => ok(body),
  ),
})

function post(body: unknown, headers: Record<string, string | null> = {}) {
  return call<{ body: unknown }>(echo, 'POST', '/api/echo', { body, headers })
}

/** JSON text of exactly so many bytes. */
function jsonOf(bytes: number): string {
  return JSON.stringify('x'.repeat(bytes - 2))
}

function streamOf(chunks: Iterable<Uint8Array>, onCancel = () => {}): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: onCancel,
  })
}

describe('the size of a body', () => {
  it('may be what the route allows, and no byte more', async () => {
    expect((await post(jsonOf(MAX_BYTES))).status).toBe(200)

    const refused = await post(jsonOf(MAX_BYTES + 1))
    expect(refused).toMatchObject({
      status: 413,
      body: { code: 'too_large', message: 'The request body is larger than 1,000 bytes.' },
    })
  })

  it('is refused by what is declared, before anything is read', async () => {
    let reads = 0
    const body = new ReadableStream(
      {
        pull(controller) {
          reads += 1
          controller.enqueue(new TextEncoder().encode('{}'))
          controller.close()
        },
      },
      { highWaterMark: 0 },
    )

    expect((await post(body, { 'content-length': String(MAX_BYTES + 1) })).status).toBe(413)
    expect(reads).toBe(0)
  })

  it('is counted where nothing is declared, and counting stops at the limit', async () => {
    let sent = 0
    let cancelled = false
    function* manyChunks() {
      for (; sent < 1_000; sent += 1) yield new Uint8Array(100).fill(0x20)
    }

    const refused = await post(
      streamOf(manyChunks(), () => {
        cancelled = true
      }),
    )

    expect(refused.status).toBe(413)
    expect(cancelled).toBe(true)
    expect(sent).toBeLessThan(20)
  })

  it('is counted where less is declared than comes', async () => {
    const body = streamOf([new TextEncoder().encode(jsonOf(MAX_BYTES + 1))])

    expect((await post(body, { 'content-length': '10' })).status).toBe(413)
  })

  it('may be what the route allows in a stream, whose characters are cut anywhere', async () => {
    const text = JSON.stringify(`${'₹'.repeat(332)}xx`)
    const bytes = new TextEncoder().encode(text)
    expect(bytes).toHaveLength(MAX_BYTES)
    const chunks = Array.from({ length: 143 }, (_, i) => bytes.slice(i * 7, (i + 1) * 7))

    expect(await post(streamOf(chunks))).toMatchObject({ status: 200, body: { body: JSON.parse(text) } })
  })

  it('counts bytes and not characters', async () => {
    expect((await post(JSON.stringify('₹'.repeat(400)))).status).toBe(413)
  })

  it('is bounded where a route names no bound', async () => {
    const body = { phone: 'x'.repeat(64 * 1024) }

    expect((await call(echo, 'PUT', '/api/echo', { body })).status).toBe(413)
  })
})

describe('the type of a body', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    'text/plain;charset=UTF-8',
    'text/plain',
    'application/problem+json',
    'application/vnd.api+json',
  ])('is JSON, or the plain text of a beacon: %s', async type => {
    expect(await post('{"a":1}', { 'content-type': type })).toMatchObject({
      status: 200,
      body: { body: { a: 1 } },
    })
  })

  it('may be left out', async () => {
    expect(await post('{"a":1}', { 'content-type': null })).toMatchObject({ body: { body: { a: 1 } } })
  })

  it.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/html',
    'text/json',
    'application/jsonp',
    'application/xml',
    'json',
  ])('is a 415 otherwise: %s', async type => {
    expect(await post('{"a":1}', { 'content-type': type })).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type', message: 'The body must be JSON.' },
    })
  })

  it.each(['gzip', 'br', 'deflate, gzip', 'identity, gzip'])('is not compressed: %s', async encoding => {
    expect(await post('{"a":1}', { 'content-encoding': encoding })).toMatchObject({
      status: 415,
      body: { message: 'The body must not be compressed.' },
    })
  })

  it.each(['identity', ''])('may say that it is not compressed: %j', async encoding => {
    expect((await post('{"a":1}', { 'content-encoding': encoding })).status).toBe(200)
  })

  it('does not matter where there is no body', async () => {
    expect(await post(undefined, { 'content-type': 'text/html' })).toMatchObject({
      body: { body: 'nothing' },
    })
  })
})

describe('the content of a body', () => {
  it.each([
    ['cut off', '{"a":'],
    ['blank', ' \n'],
    ['a form', 'phone=9811100000'],
    ['with a comment', '{} // done'],
    ['single quotes', "{'a':1}"],
    ['NaN', '{"a":NaN}'],
    ['Latin-1', new Uint8Array([0x22, 0xe9, 0x22])],
    ['a lone surrogate', new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['cut in a character', new Uint8Array([0x22, 0xe2, 0x82])],
    ['UTF-16', new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])],
  ])('is a 400 that says so where it is not JSON in UTF-8: %s', async (_, body) => {
    const refused = await post(body, { 'content-type': 'application/json' })

    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', message: 'The body is not valid JSON in UTF-8.' },
    })
  })

  it('may start with a byte order mark', async () => {
    expect(await post(`\ufeff{"a":1}`)).toMatchObject({ status: 200, body: { body: { a: 1 } } })
  })

  it.each([
    ['is none, at its end', String.raw`"a\ud83d"`, 'a\ufffd'],
    ['is none, at its start', String.raw`"\uDC4Ba"`, '\ufffda'],
    ['is none, twice', String.raw`"\ud83d\uD83D\udc4b"`, '\ufffd👋'],
    ['is none, in a name', String.raw`{"\ud83d":1}`, { '\ufffd': 1 }],
    ['is one', String.raw`"\ud83d\udc4b"`, '👋'],
    ['is no escape', String.raw`"\\ud83d"`, String.raw`\ud83d`],
  ])('has nothing that no database can keep: half a character that %s', async (_, text, read) => {
    expect(await post(text)).toMatchObject({ status: 200, body: { body: read } })
  })

  it.each([String.raw`"\uD83"`, String.raw`"\UD83D"`])(
    'is a 400 for an escape that is none: %s',
    async text => {
      expect((await post(text)).status).toBe(400)
    },
  )

  it.each(['null', '[]', '0', '"text"', 'false'])(
    'may be any JSON where the route takes any: %s',
    async text => {
      expect(await post(text)).toMatchObject({ status: 200, body: { body: JSON.parse(text) } })
    },
  )

  it('may be nested as deep as its size allows', async () => {
    const depth = MAX_BYTES / 2

    expect((await post(`${'['.repeat(depth)}${']'.repeat(depth)}`)).status).toBe(200)
  })

  it('is a 400 with details where there is none and one is needed', async () => {
    for (const body of [undefined, '']) {
      const refused = await call(echo, 'PUT', '/api/echo', { body })
      expect(refused).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', details: [{ path: '', message: expect.stringMatching(/object/) }] },
      })
    }
  })

  it('is a 400 where the client goes away in the middle of it', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"a":'))
        controller.error(new Error('aborted'))
      },
    })

    expect(await post(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })
})
