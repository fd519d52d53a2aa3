import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AppError } from '../../lib/errors.js'
import { ok, type Reply } from '../../lib/http/reply.js'
import { ANSWER_WITHIN_MS, serve } from '../../lib/http/serve.js'
import { config } from '../../lib/single/function.js'
import { call } from '../support/request.js'

process.env.LOG_LEVEL = 'error'

const origin = 'https://site.example'
let end: (reply: Reply) => void
let fail: (error: unknown) => void

const served = serve('/api/answer', {
  GET: {
    declaration: { summary: 'Answer', access: 'public', limit: 'config', responses: {} },
    run: () =>
      new Promise((resolve, reject) => {
        end = resolve
        fail = reject
      }),
  },
})

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

it('is a 503 that its client can read and repeat, before the platform ends the function', async () => {
  const asked = call(served, 'GET', '/api/answer', { origin })
  await vi.advanceTimersByTimeAsync(ANSWER_WITHIN_MS)
  const answer = await asked

  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
  expect(answer.headers.get('retry-after')).toBe('5')
  expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  // The rest is for the start of the function and for the way of the answer.
  expect(ANSWER_WITHIN_MS).toBeLessThanOrEqual(config.maxDuration * 1000 - 5_000)
})

it('is what it is a moment before that', async () => {
  const asked = call(served, 'GET', '/api/answer')
  await vi.advanceTimersByTimeAsync(ANSWER_WITHIN_MS - 1)
  end(ok({ late: true }))

  expect(await asked).toMatchObject({ status: 200, body: { late: true } })
  expect(vi.getTimerCount()).toBe(0)
})

it.each([
  [
    'is told to the log where its work fails afterwards',
    new Error('bug'),
    [{ background: true, message: 'bug' }],
  ],
  ['is not where its work refuses the request', new AppError('conflict'), []],
])('%s', async (_, failure, told) => {
  const asked = call(served, 'GET', '/api/answer')
  await vi.advanceTimersByTimeAsync(ANSWER_WITHIN_MS)
  await asked
  fail(failure)
  await vi.advanceTimersByTimeAsync(0)

  const lines = vi.mocked(console.error).mock.calls.map(([line]) => JSON.parse(line))
  expect(lines).toMatchObject([
    { status: 503, cause: { message: `No answer within ${ANSWER_WITHIN_MS} ms` } },
    ...told,
  ])
})

it('is read no further where it would have been sent while it is read', async () => {
  let isClosed = false
  async function* chunks() {
    try {
      for (;;) yield new Uint8Array(1)
    } finally {
      isClosed = true
    }
  }
  const asked = call(served, 'GET', '/api/answer')
  await vi.advanceTimersByTimeAsync(ANSWER_WITHIN_MS)
  await asked
  end(ok(ReadableStream.from(chunks())))

  await vi.waitFor(() => expect(isClosed).toBe(true))
})
