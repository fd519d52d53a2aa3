import { isWrite, runCommand } from './commands/index.js'
import { Cursors } from './cursors.js'
import { Storage } from './durable/storage.js'
import { errorReply, WireServer } from './server.js'
import { Store } from './store.js'
import { removeExpired } from './ttl.js'
import type { Message } from './wire.js'

export interface EmbeddedDb {
  /** `mongodb://127.0.0.1:<port>/` */
  uri: string
  port: number
  /** Answers what has begun, ends every connection and makes sure that nothing is lost. */
  close(): Promise<void>
}

export interface EmbeddedDbOptions {
  /** Where the data is kept; without it, in memory only. */
  directory?: string
  /** 0, the default, picks one. */
  port?: number
  /** The journal is rolled into a snapshot when it is longer than this, and than the last snapshot. */
  compactAfterBytes?: number
  /** How often expired documents and idle cursors are looked for, in milliseconds. */
  sweepEveryMs?: number
}

/**
 * Starts a database that the native MongoDB driver connects to. Listens on 127.0.0.1 alone, for there is no
 * authentication. Throws where the port or the directory is in use, and where the directory is damaged.
 */
export async function startEmbeddedDb(options: EmbeddedDbOptions = {}): Promise<EmbeddedDb> {
  const { directory, port = 0, sweepEveryMs = 500, ...tuning } = options
  const storage = directory === undefined ? undefined : await Storage.open({ directory, ...tuning })
  try {
    return await serve(storage, port, sweepEveryMs)
  } catch (error) {
    await storage?.close()
    throw error
  }
}

async function serve(
  storage: Storage | undefined,
  wantedPort: number,
  sweepEveryMs: number,
): Promise<EmbeddedDb> {
  const store = storage?.store ?? new Store()
  const cursors = new Cursors()

  const respond = async (message: Message, connectionId: number): Promise<object> => {
    let reply: object
    try {
      reply = runCommand(message, { store, cursors, connectionId })
    } catch (error) {
      reply = errorReply(error)
    }
    storage?.commit()
    if (!storage || !isWrite(message)) return reply
    try {
      await storage.durable()
      return reply
    } catch (error) {
      return errorReply(error)
    }
  }

  const server = new WireServer(respond)
  const port = await server.listen(wantedPort)
  const sweep = setInterval(() => {
    removeExpired(store, new Date())
    storage?.commit()
    cursors.expire()
  }, sweepEveryMs)
  sweep.unref()
  return {
    uri: `mongodb://127.0.0.1:${port}/`,
    port,
    close: async () => {
      clearInterval(sweep)
      await server.close()
      await storage?.close()
    },
  }
}
