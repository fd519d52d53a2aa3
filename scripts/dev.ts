import { startDevelopment } from './dev/development.js'
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
// Whoever started this process and talks to it is gone, even where it was killed.
if (process.connected) process.on('disconnect', () => void stop())

try {
  await development
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exit(1)
}
