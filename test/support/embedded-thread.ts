import { parentPort } from 'node:worker_threads'
import { startEmbeddedDb } from '../../scripts/embedded-db/index.js'

// Tests write at times of their own: what is over by the real clock must not vanish under them.
const { port } = await startEmbeddedDb({ sweepEveryMs: 60 * 60 * 1000 })
parentPort?.postMessage(port)
