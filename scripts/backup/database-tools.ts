import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { databaseNameOf } from '../../lib/db/client.js'
import { namesDatabase, withDatabaseName } from '../support/database-uri.js'

export type DatabaseTool = 'mongodump' | 'mongorestore'

/** Where one of MongoDB's own tools is installed, by the PATH. */
export async function findTool(name: DatabaseTool): Promise<string | undefined> {
  const file = process.platform === 'win32' ? `${name}.exe` : name
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, file)
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (directory !== '' && isExecutable) return path
  }
  return undefined
}

/**
 * Runs one of MongoDB's own tools on a database and shows what it says. Only a file that nobody else can read has the
 * address: everybody on a machine sees the arguments of its processes.
 *
 * @throws {Error} when it fails.
 */
export async function runTool(
  path: string,
  args: readonly string[],
  { uri, signal }: { uri: string; signal: AbortSignal },
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'leadline-tool-'))
  try {
    const config = join(directory, 'config.yaml')
    // A string of JSON is one of YAML.
    await writeFile(config, `uri: ${JSON.stringify(withDatabase(uri))}\n`, { mode: 0o600 })
    signal.throwIfAborted()
    const child = spawn(path, ['--config', config, ...args], { stdio: ['inherit', 'ignore', 'inherit'] })
    signal.addEventListener('abort', () => child.kill(), { once: true })
    // Until it has ended: it may be writing still.
    const [code, killedBy] = await once(child, 'close')
    signal.throwIfAborted()
    if (code !== 0) throw new Error(`${path} failed (${killedBy ?? `exit code ${code}`})`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The tools take all databases for one that is not named. */
function withDatabase(uri: string): string {
  return namesDatabase(uri) ? uri : withDatabaseName(uri, encodeURIComponent(databaseNameOf(uri)))
}
