import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** A request for a chat completion, as the SDK sends it. */
export interface AskedCompletion {
  path: string
  headers: IncomingHttpHeaders
  body: {
    model: string
    max_tokens?: number
    messages: { role: string; content: string }[]
  }
}

export interface TestModelServer {
  /** What `OPENAI_BASE_URL` would be. */
  baseUrl: string
  asked: AskedCompletion[]
  /** How the next requests are answered, by the number of the request from 0 on; it counts anew from here. */
  answer(how: (response: ServerResponse, number: number) => void): void
  close(): Promise<void>
}

/** A completion as OpenAI's API sends it. */
export function completion(content: string | null, finishReason = 'stop'): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1795326993,
    model: 'gpt-4.1-mini-2025-04-14',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: { prompt_tokens: 120, completion_tokens: 12, total_tokens: 132 },
  }
}

/** An error as OpenAI's API sends it, which quotes part of the key. */
export function apiError(message: string): object {
  return { error: { message, type: 'invalid_request_error', param: null, code: null } }
}

export function send(response: ServerResponse, status: number, body: object | string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A server that speaks as much of OpenAI's API as a chat completion takes, and says what it was asked. */
export async function startModelServer(): Promise<TestModelServer> {
  const asked: AskedCompletion[] = []
  let number = 0
  let how: (response: ServerResponse, number: number) => void = response =>
    send(response, 200, completion('A 2 BHK is ₹85 L.'))
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as AskedCompletion['body']
    asked.push({ path: request.url ?? '', headers: request.headers, body })
    how(response, number++)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    answer(next) {
      how = next
      number = 0
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
