import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BuiltFunction } from './build-function.js'

const TIME_LIMIT_MS = 60_000

/** How a built function behaves without the project around it, and without a database. */
export interface FunctionCall {
  /** How long a cold start takes to import it. */
  importMs: number
  answers: Record<'OPTIONS' | 'GET', { status: number; body: string }>
}

/**
 * Imports and calls a built function in a fresh process, in its own directory, with an empty environment.
 *
 * @param path what a client would ask for.
 * @throws where it cannot be imported or throws instead of answering.
 */
export async function callFunction(
  { directory, handler }: BuiltFunction,
  path: string,
): Promise<FunctionCall> {
  const script = join(import.meta.dirname, 'call-function.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script, join(directory, handler), path], {
    cwd: directory,
    env: { NODE_ENV: 'production', LOG_LEVEL: 'silent' },
    timeout: TIME_LIMIT_MS,
  })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}
