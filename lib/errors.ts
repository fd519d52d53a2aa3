/**
 * Every way a request can fail, as the HTTP contract names them: the code a client switches on, the status it
 * is sent with and the message used when the thrower has nothing more precise to say.
 */
export const errorTable = {
  invalid_request: { status: 400, message: 'The request is not valid.' },
  unauthenticated: { status: 401, message: 'This needs valid credentials.' },
  forbidden: { status: 403, message: 'This is not allowed.' },
  not_found: { status: 404, message: 'There is nothing here.' },
  method_not_allowed: { status: 405, message: 'This method is not supported here.' },
  conflict: { status: 409, message: 'This conflicts with what is stored.' },
  too_large: { status: 413, message: 'The request body is too large.' },
  unsupported_media_type: { status: 415, message: 'The body must be JSON.' },
  rate_limited: { status: 429, message: 'Too many requests: try again later.' },
  internal: { status: 500, message: 'Something went wrong on our side.' },
  not_configured: { status: 501, message: 'This feature is not configured on this deployment.' },
  unavailable: { status: 503, message: 'The service is temporarily unavailable: try again shortly.' },
} as const satisfies Record<string, { status: number; message: string }>

export type ErrorCode = keyof typeof errorTable

/** One thing that is wrong with the input: `path` in dotted form (`conversation.3.text`), empty for the whole. */
export interface ErrorDetail {
  path: string
  message: string
}

interface AppErrorOptions {
  details?: readonly ErrorDetail[]
  /** Seconds after which trying again makes sense; sent as `Retry-After`. */
  retryAfterSeconds?: number
  cause?: unknown
}

/**
 * An error that the caller of the API is meant to see. It knows nothing of HTTP: the table above is the only
 * place where a code meets a status.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: readonly ErrorDetail[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string = errorTable[code].message, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** A 400 that names one field. */
export function invalidField(path: string, message: string): AppError {
  return new AppError('invalid_request', `${path}: ${message}`, { details: [{ path, message }] })
}
