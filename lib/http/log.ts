import { MongoDriverError, MongoServerError } from 'mongodb'
import { ConfigurationError, env } from '../env.js'
import type { ErrorCode } from '../errors.js'

/** What is logged of a request. Nothing in it says who: no address, no path parameter, no query, no body. */
interface RequestLog {
  requestId: string
  /** The route's template (`/api/leads/:id`), not the path that was asked for. */
  route: string
  method: string
  status: number
  durationMs: number
  code?: ErrorCode
}

/** Writes the one line of a finished request: as an error where it was our failure, with what went wrong. */
export function logRequest(entry: RequestLog, failure?: unknown): void {
  if (entry.status >= 500) write('error', { ...entry, ...describe(failure) })
  else write('info', { ...entry })
}

/** Writes the failure of work that went on after the answer. */
export function logBackgroundFailure(requestId: string, route: string, failure: unknown): void {
  write('error', { requestId, route, background: true, ...describe(failure) })
}

const SEVERITY = { info: 0, error: 1, silent: 2 }

function write(level: 'info' | 'error', fields: Record<string, unknown>): void {
  if (SEVERITY[level] < SEVERITY[threshold()]) return
  const line = JSON.stringify({ level, time: new Date().toISOString(), ...fields })
  if (level === 'error') console.error(line)
  else console.log(line)
}

function threshold(): 'info' | 'error' | 'silent' {
  try {
    return env().logLevel
  } catch {
    return 'info'
  }
}

/** An error without the data in it: a server's message quotes values ("dup key: { phone: … }"). */
function describe(failure: unknown): Record<string, unknown> {
  if (failure === undefined) return {}
  if (!(failure instanceof Error)) return { error: typeof failure }
  if (failure instanceof ConfigurationError) return { error: failure.name, problems: failure.problems }
  if (failure instanceof MongoServerError)
    return { error: failure.name, mongoCode: failure.code, mongoCodeName: failure.codeName }
  // The driver's message may quote a connection string that it cannot read, with its password.
  if (failure instanceof MongoDriverError) return { error: failure.name, stack: framesOf(failure) }
  const cause = failure.cause === undefined ? {} : { cause: describe(failure.cause) }
  return { error: failure.name, message: failure.message, stack: failure.stack, ...cause }
}

/** A stack without the message at its head. */
function framesOf(error: Error): string | undefined {
  return error.stack
    ?.split('\n')
    .filter(line => /^\s+at /.test(line))
    .join('\n')
}
