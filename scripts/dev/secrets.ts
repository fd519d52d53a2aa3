import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from './usage-error.js'

const SECRETS = ['ADMIN_TOKEN', 'CRON_SECRET', 'AUTH_SECRET'] as const

export interface DevelopmentSecrets {
  file: string
  /** Those that the environment does not give, by the variable's name. */
  values: Partial<Record<(typeof SECRETS)[number], string>>
}

/**
 * The secrets that the environment leaves open: made once and kept in `secrets.json` of the data directory, so
 * that a token copied from there still works after a restart.
 *
 * @throws {UsageError} where the file is not what this wrote.
 */
export async function developmentSecrets(
  dataDirectory: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<DevelopmentSecrets> {
  const file = join(dataDirectory, 'secrets.json')
  const missing = SECRETS.filter(name => !variables[name]?.trim())
  if (missing.length === 0) return { file, values: {} }

  const kept = await readSecrets(file)
  const made = missing.filter(name => kept[name] === undefined)
  for (const name of made) kept[name] = randomBytes(32).toString('hex')
  if (made.length > 0) await writeSecrets(dataDirectory, file, kept)
  return { file, values: Object.fromEntries(missing.map(name => [name, kept[name]])) }
}

async function readSecrets(file: string): Promise<Record<string, string>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
  const content = parseJson(text)
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new UsageError(`${file} is not a JSON object: mend it, or delete it to get new secrets`)
  const strings = Object.entries(content).filter(([, value]) => typeof value === 'string' && value !== '')
  return Object.fromEntries(strings)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// By way of a rename: a stop in the middle must not leave half a file, which would refuse the next start.
async function writeSecrets(dataDirectory: string, file: string, secrets: Record<string, string>) {
  await mkdir(dataDirectory, { recursive: true })
  const temporary = `${file}.${process.pid}`
  await rm(temporary, { force: true })
  await writeFile(temporary, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  await rename(temporary, file)
}
