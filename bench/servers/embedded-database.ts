import { startEmbeddedDb } from '../../scripts/embedded-db/index.js'
import { answerParent, cpuMs } from '../worker.js'

/** Starts the embedded database with its journal in this directory, as development runs it. */
async function start(directory: string): Promise<string> {
  const { uri } = await startEmbeddedDb({ directory })
  return uri
}

const methods = { start, cpuMs }
export type EmbeddedDatabaseMethods = typeof methods
answerParent(methods)
