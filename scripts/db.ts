import { parseArgs } from 'node:util'
import { readVariables } from './dev/settings.js'
import { serveDirectory } from './embedded-db/serve-directory.js'

const HELP = `Usage: npm run db -- [--port PORT] [--data DIR]

Serves the development database alone, for \`vercel dev\` and for database browsers.

  --port PORT   where to listen on 127.0.0.1; 0 picks one (default 27018)
  --data DIR    where the data is kept (default DATA_DIRECTORY, also of .env, or .data)
  --help        this text`

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { DATA_DIRECTORY } = readVariables(process.cwd(), process.env)
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '27018' },
      data: { type: 'string', default: DATA_DIRECTORY?.trim() || '.data' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65535) throw new Error(`--port ${values.port} is not a port`)
  const database = await serveDirectory({ directory: values.data, port })
  console.log(`db ${database.uri}`)

  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    await database.close()
  }
  process.on('SIGINT', () => void stop())
  process.on('SIGTERM', () => void stop())
}
