import { answerParent } from '../worker.js'
import { loadListener } from './function.js'
import { listen } from './http.js'
import { vitals } from './vitals.js'

export interface HandlerOptions {
  /** Whether the product waits for a connection as long as a script does: it refuses nobody that it answers late. */
  patient?: boolean
}

/** Serves one function, as the platform would call it. Its environment is the process's. */
async function start({ file, patient }: HandlerOptions & { file: string }): Promise<number> {
  if (patient) {
    // Loaded only here: the baseline's process has no use for the product's driver.
    const { waitForDatabaseAs } = await import('../../lib/db/client.js')
    waitForDatabaseAs('script')
  }
  return listen(await loadListener(file))
}

const methods = { start, ...vitals }
export type HandlerMethods = typeof methods
answerParent(methods)
