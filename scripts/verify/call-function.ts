import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BuiltFunction } from './build-function.js'

const TIME_LIMIT_MS = 60_000

/** How a built function behaves without the project around it, and without a database. */
export interface FunctionCall {
  /** How long a cold start takes to import it. */
  importMs: number
  /** What that import loaded, as URLs; modules that are loaded later are not among them. */
  loaded: string[]
  answers: { path: string; method: string; status: number; body: string }[]
}

/**
 * Imports a built function in a fresh process, in its own directory, with an empty environment, and calls it with
 * `OPTIONS` and `GET`.
 *
 * @param paths what a client would ask for.
 * @throws where it cannot be imported or throws instead of answering.
 */
export async function callFunction(
  { directory, handler }: Pick<BuiltFunction, 'directory' | 'handler'>,
  paths: readonly string[],
): Promise<FunctionCall> {
  const script = join(import.meta.dirname, 'call-function.mjs')
  const args = [script, join(directory, handler), ...paths]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: directory,
    env: { NODE_ENV: 'production', LOG_LEVEL: 'silent' },
    timeout: TIME_LIMIT_MS,
    maxBuffer: 16 * 1024 * 1024,
  })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}
