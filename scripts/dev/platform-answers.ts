import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** An answer that Vercel gives by itself. Codes and statuses: https://vercel.com/docs/errors */
export interface PlatformAnswer {
  status: number
  code: string
  sentence: string
}

export const PLATFORM_ANSWERS = {
  badRequest: { status: 400, code: 'BAD_REQUEST', sentence: 'Bad request' },
  notFound: { status: 404, code: 'NOT_FOUND', sentence: 'The page could not be found' },
  methodNotAllowed: { status: 405, code: 'INVALID_REQUEST_METHOD', sentence: 'Method not allowed' },
  payloadTooLarge: {
    status: 413,
    code: 'FUNCTION_PAYLOAD_TOO_LARGE',
    sentence: 'Request Entity Too Large',
  },
  invocationFailed: {
    status: 500,
    code: 'FUNCTION_INVOCATION_FAILED',
    sentence: 'A server error has occurred',
  },
  invocationTimeout: {
    status: 504,
    code: 'FUNCTION_INVOCATION_TIMEOUT',
    sentence: 'An error occurred with your deployment',
  },
} satisfies Record<string, PlatformAnswer>

/** Sends it as Vercel does, in plain text. `detail` is for the developer and has no counterpart in production. */
export function sendPlatformAnswer(
  response: ServerResponse,
  answer: PlatformAnswer,
  headers: OutgoingHttpHeaders = {},
  detail?: string,
): void {
  const paragraphs = [answer.sentence, answer.code, ...(detail === undefined ? [] : [detail])]
  const body = `${paragraphs.join('\n\n')}\n`
  response.writeHead(answer.status, {
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-vercel-error': answer.code,
  })
  response.end(body)
}
