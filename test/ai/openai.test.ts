import type { ServerResponse } from 'node:http'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { askModel } from '../../lib/ai/openai.js'
import { ModelFailure, type Prompt } from '../../lib/ai/prompt.js'
import { apiError, completion, send, startModelServer, type TestModelServer } from './openai-server.js'

const KEY = 'sk-test-0123456789abcdef'

const prompt: Prompt = {
  system: 'Answer from FACTS: {}',
  messages: [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello!' },
    { role: 'user', content: 'What does a 2 BHK cost?' },
  ],
}

let server: TestModelServer

// The first question loads the SDK, which takes longer than some of these tests give it.
beforeAll(async () => {
  await Promise.all([import('ai'), import('@ai-sdk/openai')])
})

beforeEach(async () => {
  server = await startModelServer()
})

afterEach(async () => {
  await server.close()
})

const ask = (timeoutMs?: number) =>
  askModel(prompt, { apiKey: KEY, baseUrl: server.baseUrl, model: 'gpt-4.1-mini' }, timeoutMs)

const failureOf = async (asking: Promise<unknown>) => {
  const failure = await asking.then(
    () => undefined,
    error => error,
  )
  expect(failure).toBeInstanceOf(ModelFailure)
  return failure as ModelFailure
}

describe('a question', () => {
  it('is answered with what the model says, and with who it was', async () => {
    expect(await ask()).toEqual({ text: 'A 2 BHK is ₹85 L.', model: 'gpt-4.1-mini-2025-04-14' })
  })

  it('is sent as it is, with the key and a bound of the answer', async () => {
    await ask()
    expect(server.asked).toHaveLength(1)
    expect(server.asked[0]).toMatchObject({
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${KEY}` },
      body: {
        model: 'gpt-4.1-mini',
        max_tokens: 300,
        messages: [
          { role: 'system', content: prompt.system },
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Hello!' },
          { role: 'user', content: 'What does a 2 BHK cost?' },
        ],
      },
    })
  })

  it('is answered in plain text of a bounded length', async () => {
    const paragraph = '**Nivasa** has <b onclick="x()">two</b> [plans](https://x.example) for you. '
    server.answer(response => send(response, 200, completion(paragraph.repeat(100))))
    const { text } = await ask()
    expect(text.length).toBeLessThanOrEqual(1_200)
    expect(text).toMatch(/^(Nivasa has two plans for you\. ?)+$/)
  })
})

describe('a failure that may pass', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['a 500', response => send(response, 500, apiError('The server had an error'))],
    ['a 503 that is no JSON', response => send(response, 503, '<html>Bad gateway</html>')],
    ['a connection that is cut', response => response.destroy()],
  ])('like %s is tried again, once', async (_, fail) => {
    server.answer((response, number) =>
      number === 0 ? fail(response) : send(response, 200, completion('Yes.')),
    )
    expect(await ask()).toMatchObject({ text: 'Yes.' })

    server.answer(fail)
    await failureOf(ask())
    expect(server.asked).toHaveLength(4)
  })
})

describe('there is no answer', () => {
  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['where the provider has too much to do', r => send(r, 429, apiError('Slow down')), /answered 429/],
    ['where the key is wrong', r => send(r, 401, apiError(`Incorrect key: ${KEY}`)), /answered 401/],
    ['where there is no such model', r => send(r, 404, apiError('no model')), /answered 404/],
    ['in what is no JSON', r => send(r, 200, '{"choices": ['), /cannot be read/],
    ['in JSON of another kind', r => send(r, 200, { answer: 'Yes.' }), /cannot be read/],
    [
      'in a completion without choices',
      r => send(r, 200, { ...completion(''), choices: [] }),
      /cannot be read/,
    ],
    ['without a text', r => send(r, 200, completion(null)), /it was empty/],
    ['in markup alone', r => send(r, 200, completion('<br>\n **')), /it was empty/],
    ['that the provider holds back', r => send(r, 200, completion('So', 'content_filter')), /held it back/],
  ])('%s, and it is not asked again', async (_, answer, reason) => {
    server.answer(answer)
    const failure = await failureOf(ask())
    expect(failure.message).toMatch(reason)
    expect(server.asked).toHaveLength(1)
  })

  it('where nobody listens', async () => {
    await server.close()
    const { message } = await failureOf(ask())
    expect(message).toMatch(/cannot be reached/)
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ['answers nothing', () => {}],
    [
      'begins an answer and never ends it',
      response => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.write(JSON.stringify(completion('Yes.')).slice(0, 40))
      },
    ],
  ])('in time where the provider %s, and it is not asked again', async (_, answer) => {
    server.answer(answer)
    const startedAt = performance.now()
    const { message } = await failureOf(ask(300))
    expect(message).toMatch(/took too long/)
    // Far from the 8 seconds that it may take otherwise.
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    // On a busy machine the time may be over before the request is sent.
    expect(server.asked.length).toBeLessThanOrEqual(1)
  })

  it('after two attempts that were slow: the time is that of both', async () => {
    server.answer((response, number) => {
      if (number === 0) setTimeout(() => send(response, 500, apiError('broken')), 100)
    })
    const { message } = await failureOf(ask(2_000))
    expect(message).toMatch(/took too long/)
    expect(server.asked).toHaveLength(2)
  })

  it('and what went wrong says neither the key nor what was asked', async () => {
    for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) vi.spyOn(console, name)
    for (const status of [400, 401, 500]) {
      server.answer(response => send(response, status, apiError(`${KEY}: What does a 2 BHK cost?`)))
      const failure = await failureOf(ask())
      expect(`${failure.message} ${failure.stack} ${failure.cause}`).not.toMatch(/sk-test|2 BHK/)
    }
    for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const)
      expect(console[name]).not.toHaveBeenCalled()
  })
})
