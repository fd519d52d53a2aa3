import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigurationError, type Env, readEnv } from '../lib/env.js'
import { readVariables, type Variables } from './dev/settings.js'
import { type Check, failure, kindOf, warning } from './doctor/check.js'
import { checkConnections } from './doctor/connect.js'
import { checkDatabase } from './doctor/database.js'
import { checkBilling, checkEnvironment, checkMail, checkOrigins } from './doctor/environment.js'
import { checkSecrets } from './doctor/secrets.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { tableOf } from './support/table.js'
import { withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run doctor --',
  summary:
    'Looks at the environment and the database, changes nothing, and says what to do. Fails where something does.',
  flags: {
    connect: { type: 'boolean', help: 'also ask the mail server and the Redis whether they let us in' },
    json: { type: 'boolean', help: 'print JSON' },
  },
}

/** Prints a line for everything that was looked at. */
export async function run(typed: Typed): Promise<void> {
  const checks = await examine(readVariables(process.cwd(), process.env), typed.has('connect'))
  const failures = checks.filter(({ state }) => state === 'failure').length
  if (typed.has('json')) {
    console.log(JSON.stringify({ ok: failures === 0, checks }, null, 2))
  } else {
    const rows = checks.map(({ name, state, message, advice = '' }) => [state, name, message, advice])
    console.log(tableOf(['state', 'what', 'how it is', 'what to do'], rows))
  }
  if (failures > 0) throw new Error(failures === 1 ? '1 failure' : `${failures} failures`)
}

async function examine(variables: Variables, connect: boolean): Promise<Check[]> {
  const current = readOrExplain(variables)
  const secrets = checkSecrets(variables)
  if (Array.isArray(current))
    return [...current, ...secrets, warning('database', 'was not looked at', 'mend the environment first')]
  return [
    ...checkEnvironment(current, variables),
    ...secrets,
    ...checkOrigins(current),
    ...checkBilling(current),
    ...checkMail(current),
    ...(connect ? await checkConnections(current) : []),
    ...(await examineDatabase(current)),
  ]
}

function readOrExplain(variables: Variables): Env | Check[] {
  try {
    return readEnv(variables)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.problems.map(problem => failure('environment', problem, '.env.example explains it'))
  }
}

/** Opens the development database only where there is one: a look leaves nothing behind. */
async function examineDatabase({ mongoUri, production, dataDirectory }: Env): Promise<Check[]> {
  if (!mongoUri && production) return [failure('database', 'is not configured', 'set MONGO_URI')]
  if (!mongoUri && !existsSync(resolve(dataDirectory)))
    return [warning('database', 'there is none yet', 'set MONGO_URI, or let npm run dev make one')]
  try {
    return await withTarget(checkDatabase)
  } catch (error) {
    const reason = error instanceof Error ? error.message : kindOf(error)
    return [failure('database', reason, 'is it running, does it let this machine in, is MONGO_URI right?')]
  }
}

await runAsProgram(import.meta.url, line, run)
