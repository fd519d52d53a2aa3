import { runCommand } from './commands/index.js'
import { Cursors } from './cursors.js'
import { errorReply, WireServer } from './server.js'
import { Store } from './store.js'

export interface EmbeddedDb {
  /** `mongodb://127.0.0.1:<port>/` */
  uri: string
  port: number
  /** Answers what has begun, ends every connection and makes sure that nothing is lost. */
  close(): Promise<void>
}

/**
 * Starts a database that the native MongoDB driver connects to. Without a directory it lives in memory only; port 0,
 * the default, picks one. Listens on 127.0.0.1 alone, for there is no authentication.
 */
export async function startEmbeddedDb(
  options: { directory?: string; port?: number } = {},
): Promise<EmbeddedDb> {
  const store = new Store()
  const cursors = new Cursors()
  const server = new WireServer(async (message, connectionId) => {
    try {
      return runCommand(message, { store, cursors, connectionId })
    } catch (error) {
      return errorReply(error)
    }
  })
  const port = await server.listen(options.port ?? 0)
  return { uri: `mongodb://127.0.0.1:${port}/`, port, close: () => server.close() }
}
