import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigurationError, readEnv } from '../../lib/env.js'
import { UsageError } from './usage-error.js'

export type Variables = Readonly<Record<string, string | undefined>>

/** What the development server runs with. */
export interface Settings {
  /** `.env` with the shell's variables over it, as the functions get it. */
  variables: Variables
  /** 0 picks a free one. */
  port: number
  /** Absolute. Holds the embedded database and the development secrets. */
  dataDirectory: string
  /** The database that was given; without one the embedded database is started. */
  mongoUri: string | undefined
}

/**
 * Reads `.env` of a project and the shell's variables, which win.
 *
 * @throws {UsageError} naming every variable that is wrong.
 */
export function readSettings(root: string, shell: Variables): Settings {
  const variables = readVariables(root, shell)
  const problems: string[] = []
  const mongoUri = readMongoUri(variables, problems)
  if (variables.DATA_STORE?.trim() === 'file' && mongoUri !== undefined)
    problems.push('DATA_STORE=file means the embedded database, but a MONGO_URI is set: keep one')
  const port = Number(variables.PORT?.trim() || 3000)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) problems.push('PORT must be a number up to 65535')
  if (problems.length > 0) throw new UsageError(problems.join('\n'))
  return {
    variables,
    port,
    dataDirectory: resolve(root, variables.DATA_DIRECTORY?.trim() || '.data'),
    mongoUri,
  }
}

/** The variables of `.env` of a project, and the shell's, which win; whether or not they are right. */
export function readVariables(root: string, shell: Variables): Variables {
  return { ...readDotenv(root), ...shell }
}

function readDotenv(root: string): Variables {
  try {
    return parseEnv(readFileSync(join(root, '.env'), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

function readMongoUri(variables: Variables, problems: string[]): string | undefined {
  try {
    return readEnv(variables).mongoUri
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}
