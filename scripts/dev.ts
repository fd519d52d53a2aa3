import { startDevelopment } from './dev/development.js'
import { onNpmGone } from './dev/npm-ancestors.js'
import { UsageError } from './dev/usage-error.js'

const development = startDevelopment(process.cwd(), process.env)
let stopping = false

async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  await (await development).stop()
  process.exit(0)
}

process.on('SIGINT', () => void stop())
process.on('SIGTERM', () => void stop())
onNpmGone(process.env, () => void stop())

try {
  await development
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exit(1)
}
