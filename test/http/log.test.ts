import { MongoBulkWriteError, MongoParseError, MongoServerError } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import leadsRoute from '../../api/leads/index.js'
import { ConfigurationError } from '../../lib/env.js'
import { AppError } from '../../lib/errors.js'
import { exported } from '../../lib/http/export.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

process.env.LOG_LEVEL = 'info'

interface Line {
  stream: 'out' | 'error'
  text: string
  fields: Record<string, unknown>
}

let lines: Line[]

beforeEach(() => {
  lines = []
  const capture = (stream: Line['stream']) => (text: string) => {
    lines.push({ stream, text, fields: JSON.parse(text) })
  }
  vi.spyOn(console, 'log').mockImplementation(capture('out'))
  vi.spyOn(console, 'error').mockImplementation(capture('error'))
})

const SECRET = 'asha-9811100000'
const responses = { 200: { description: 'The answer' } }

function serving(handler: () => unknown) {
  const declaration = {
    summary: 'Answer',
    access: 'public',
    limit: 'config',
    params: z.object({ id: z.string() }),
    query: z.object({ name: z.string().optional() }),
    responses,
  } as const
  const written = { ...declaration, body: z.object({ phone: z.string() }) }
  return serve('/api/things/:id', {
    GET: route(declaration, async () => ok(await handler())),
    POST: route(written, async () => ok(await handler())),
  })
}

function failing(error: unknown) {
  return serving(() => {
    throw error
  })
}

describe('a request', () => {
  it('is one line of JSON that says what was asked for and how it went', async () => {
    await call(
      serving(() => ({})),
      'GET',
      '/api/things/1',
      { headers: { 'x-request-id': 'req-1' } },
    )

    expect(lines.map(({ stream, fields }) => [stream, fields])).toEqual([
      [
        'out',
        {
          level: 'info',
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          requestId: 'req-1',
          route: '/api/things/:id',
          method: 'GET',
          status: 200,
          durationMs: expect.any(Number),
        },
      ],
    ])
  })

  it('says why it was refused, and is no error', async () => {
    await call(
      serving(() => ({})),
      'POST',
      '/api/things/1',
      { body: {} },
    )

    expect(lines).toMatchObject([
      { stream: 'out', fields: { level: 'info', status: 400, code: 'invalid_request' } },
    ])
  })

  it('is an error where we failed, with where and why', async () => {
    await call(failing(new TypeError('thing is not iterable')), 'GET', '/api/things/1')
    await call(
      failing(new AppError('unavailable', undefined, { cause: new Error('refused') })),
      'GET',
      '/api/things/1',
    )

    expect(lines).toMatchObject([
      {
        stream: 'error',
        fields: {
          level: 'error',
          status: 500,
          code: 'internal',
          cause: {
            error: 'TypeError',
            message: 'thing is not iterable',
            stack: expect.stringContaining('log.test.ts'),
          },
        },
      },
      {
        stream: 'error',
        fields: { level: 'error', status: 503, code: 'unavailable', cause: { message: 'refused' } },
      },
    ])
  })

  it('is followed by why a file broke off that was sent while it was read', async () => {
    async function* rows() {
      yield { id: 1 }
      throw new AppError('unavailable', undefined, { cause: new Error('refused') })
    }
    const file = serve('/api/files/:id', {
      GET: route({ summary: 'File', access: 'public', limit: 'config', responses }, () =>
        exported('rows', 'ndjson', rows(), {}),
      ),
    })

    await expect(
      call(file, 'GET', '/api/files/1', { headers: { 'x-request-id': 'req-3' } }),
    ).rejects.toThrow()

    expect(lines).toMatchObject([
      { stream: 'out', fields: { requestId: 'req-3', status: 200 } },
      {
        stream: 'error',
        fields: {
          requestId: 'req-3',
          route: '/api/files/:id',
          background: true,
          cause: { message: 'refused' },
        },
      },
    ])
  })

  it('is no failure where the client of such a file goes away', async () => {
    let isClosed = false
    async function* rows() {
      try {
        for (;;) yield { id: 1 }
      } finally {
        isClosed = true
      }
    }
    const file = serve('/api/files/:id', {
      GET: route({ summary: 'File', access: 'public', limit: 'config', responses }, () =>
        exported('rows', 'ndjson', rows(), {}),
      ),
    })

    const { body } = await file.fetch(new Request('https://leadline.example/api/files/1'))
    const reader = body?.getReader()
    await reader?.read()
    await reader?.cancel(new Error('gone'))

    expect(isClosed).toBe(true)
    expect(lines).toMatchObject([{ fields: { status: 200 } }])
  })

  it('says what is wrong with the environment by the names of its variables', async () => {
    await call(failing(new ConfigurationError(['ADMIN_TOKEN must be longer'])), 'GET', '/api/things/1')

    expect(lines).toMatchObject([{ fields: { cause: { problems: ['ADMIN_TOKEN must be longer'] } } }])
  })
})

describe('nobody is named in a line', () => {
  it.each([
    ['that succeeds', serving(() => ({ phone: SECRET }))],
    ['that is refused', failing(new AppError('conflict', `${SECRET} is taken`))],
    ['that the database refuses', failing(duplicateOf(SECRET))],
    ['in a batch that the database refuses', failing(bulkDuplicateOf(SECRET))],
    [
      'that the driver cannot read',
      failing(new MongoParseError(`Invalid connection string "mongodb://u:${SECRET}@h"`)),
    ],
    ['that ends with our failure', failing(new Error('bug'))],
    ['that ends with something thrown', failing({ phone: SECRET })],
    ['that ends with a text thrown', failing(SECRET)],
  ])('of a request %s', async (_, served) => {
    const path = `/api/things/${SECRET}?name=${SECRET}&email=${SECRET}`
    await call(served, 'POST', path, {
      body: { phone: SECRET },
      ip: '198.51.100.77',
      origin: `https://${SECRET}.example`,
      token: SECRET,
      headers: { 'user-agent': SECRET, 'idempotency-key': SECRET, cookie: SECRET, referer: SECRET },
    })

    expect(lines).toHaveLength(1)
    expect(lines[0]?.text).not.toMatch(/asha|9811100000|198\.51/)
  })

  it('of a lead that cannot be read', async () => {
    await call(leadsRoute, 'POST', '/api/leads', { body: { phone: { secret: SECRET }, microsite: SECRET } })
    await call(leadsRoute, 'POST', '/api/leads', { body: `{"phone":"${SECRET}` })
    await call(leadsRoute, 'GET', `/api/leads/${SECRET}`)

    expect(lines.map(({ fields }) => fields.status)).toEqual([400, 400, 404])
    for (const { text } of lines) expect(text).not.toMatch(/asha|9811100000/)
  })

  it('of work that fails after the answer', async () => {
    const served = serve('/api/things/:id', {
      GET: route({ summary: 'Answer', access: 'public', limit: 'config', responses }, ({ context }) => {
        context.background(Promise.reject(duplicateOf(SECRET)))
        return ok({})
      }),
    })

    const { status } = await call(served, 'GET', `/api/things/${SECRET}`, {
      headers: { 'x-request-id': 'req-2' },
    })

    expect(status).toBe(200)
    await vi.waitFor(() => expect(lines).toHaveLength(2))
    const background = lines.find(({ fields }) => fields.background === true)
    expect(background).toMatchObject({
      stream: 'error',
      fields: { level: 'error', requestId: 'req-2', route: '/api/things/:id', mongoCode: 11000 },
    })
    expect(background?.text).not.toMatch(/asha|9811100000/)
  })
})

describe('a line stays a line', () => {
  it('whatever a client sends', async () => {
    const forged = '\r\n{"level":"info","status":200}\u2028'
    const served = serving(() => {
      throw new Error(`unexpected ${forged}`)
    })

    await call(
      served,
      'POST',
      `/api/things/${encodeURIComponent(forged)}?name=${encodeURIComponent(forged)}`,
      {
        body: { phone: forged },
        headers: { 'x-request-id': 'a\tb', 'user-agent': 'x{"a":1}' },
      },
    )

    expect(lines).toHaveLength(1)
    expect(lines[0]?.text).not.toMatch(/\r|\n/)
    expect(lines[0]?.fields).toMatchObject({
      status: 500,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })
})

function duplicateOf(value: string): MongoServerError {
  return new MongoServerError({
    code: 11000,
    codeName: 'DuplicateKey',
    errmsg: `E11000 duplicate key error collection: leadline.leads dup key: { phone: "${value}" }`,
    keyValue: { phone: value },
  })
}

function bulkDuplicateOf(value: string): MongoBulkWriteError {
  const message = `E11000 dup key: { phone: "${value}" }`
  return new MongoBulkWriteError({ code: 11000, message, writeErrors: [] }, {
    insertedCount: 0,
    getWriteConcernError: () => undefined,
  } as MongoBulkWriteError['result'])
}
