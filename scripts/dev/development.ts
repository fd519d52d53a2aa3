import { relative } from 'node:path'
import { startGeneration } from './generation.js'
import { keepGenerations } from './generations.js'
import { developmentSecrets } from './secrets.js'
import { startServer } from './server.js'
import { readSettings, type Settings } from './settings.js'
import { UsageError } from './usage-error.js'
import { watchProject } from './watch.js'

const WATCHED = {
  directories: ['api', 'lib'],
  files: ['vercel.json', '.env', 'package.json', 'tsconfig.json'],
}

/** A running development server with all that belongs to it. */
export interface Development {
  /** Ends it with nothing lost: requests, their background work and the embedded database. */
  stop(): Promise<void>
}

/**
 * Serves a project's functions and files as Vercel would, with a database, and prints what it uses; the last
 * line, `ready <url>`, says that requests are answered from now on.
 *
 * @param shell the variables of the environment, which win over the project's `.env`.
 * @throws {UsageError} for what the person who starts it has to change.
 */
export async function startDevelopment(root: string, shell: NodeJS.ProcessEnv): Promise<Development> {
  const settings = readSettings(root, shell)
  const ending: (() => Promise<void> | void)[] = []
  const stop = async () => {
    for (const end of ending.splice(0).reverse()) await end()
  }
  try {
    const database = await openDatabase(settings)
    ending.push(database.close)
    const generations = keepGenerations(async () => {
      // Nothing starts the functions before the server listens.
      const own = { MONGO_URI: database.uri, APP_URL: `http://127.0.0.1:${server.port}` }
      const variables = await functionVariables(readSettings(root, shell), settings, own)
      return startGeneration(root, variables)
    })
    const server = await startServer(settings.port, generations)
    ending.push(server.stop)
    const { table } = await generations.renew()
    ending.push(watchProject(root, WATCHED, changed => void reload(generations.renew, changed)))

    const url = `http://127.0.0.1:${server.port}`
    console.log(`${table.functions.size} function${table.functions.size === 1 ? '' : 's'} in ${root}`)
    console.log(database.description)
    if (settings.mongoUri === undefined) console.log(`db ${database.uri}`)
    console.log(await describeSecrets(root, settings, url))
    console.log(`ready ${url}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { stop }
}

interface Database {
  uri: string
  description: string
  close(): Promise<void>
}

async function openDatabase({ mongoUri, dataDirectory }: Settings): Promise<Database> {
  if (mongoUri !== undefined)
    return { uri: mongoUri, description: `Database: ${withoutCredentials(mongoUri)}`, close: async () => {} }
  const { serveDirectory } = await import('../embedded-db/serve-directory.js')
  try {
    const { uri, close } = await serveDirectory({ directory: dataDirectory })
    return { uri, description: `Database: embedded, kept in ${dataDirectory}`, close }
  } catch (error) {
    // A directory in use, damaged, or not writable: its owner's to solve, and the message says how.
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function withoutCredentials(uri: string): string {
  return uri.replace(/\/\/[^@/]*@/, '//').replace(/\?.*/, '')
}

async function functionVariables(
  now: Settings,
  atStart: Settings,
  own: { MONGO_URI: string; APP_URL: string },
): Promise<NodeJS.ProcessEnv> {
  for (const name of ['port', 'dataDirectory', 'mongoUri'] as const)
    if (now[name] !== atStart[name])
      throw new UsageError('.env: another port or another database needs a restart of the development server')
  const secrets = await developmentSecrets(now.dataDirectory, now.variables)
  const variables = {
    NODE_ENV: 'development',
    ...now.variables,
    ...secrets.values,
    ...own,
    APP_URL: now.variables.APP_URL?.trim() || own.APP_URL,
    DATA_DIRECTORY: now.dataDirectory,
  }
  return Object.fromEntries(Object.entries(variables).filter(([name]) => name !== 'MONGODB_URI'))
}

async function reload(renew: () => Promise<unknown>, changed: string[]): Promise<void> {
  const startedAt = performance.now()
  try {
    await renew()
    console.log(`Reloaded for ${changed.join(', ')} in ${Math.round(performance.now() - startedAt)} ms`)
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : error)
  }
}

async function describeSecrets(root: string, settings: Settings, url: string): Promise<string> {
  const { file, values } = await developmentSecrets(settings.dataDirectory, settings.variables)
  const names = Object.keys(values)
  if (names.length === 0) return 'Secrets: from the environment'
  const path = file.startsWith(root) ? `./${relative(root, file)}` : file
  const lines = [`Secrets: ${names.join(', ')} in ${path}`]
  if (values.ADMIN_TOKEN)
    lines.push(
      'As an operator:',
      `  curl -H "Authorization: Bearer $(node -p 'require("${path}").ADMIN_TOKEN')" ${url}/api/leads`,
    )
  return lines.join('\n')
}
