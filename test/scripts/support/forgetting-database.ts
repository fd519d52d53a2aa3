import { runCommand } from '../../../scripts/embedded-db/commands/index.js'
import { Cursors } from '../../../scripts/embedded-db/cursors.js'
import { errorReply, WireServer } from '../../../scripts/embedded-db/server.js'
import { Store } from '../../../scripts/embedded-db/store.js'
import { field } from '../../../scripts/embedded-db/values.js'

/** A database that takes any number of events and keeps none of them: what is left is what its client needs. */
export async function startForgettingDatabase() {
  const context = { store: new Store(), cursors: new Cursors() }
  const forgotten = { events: 0 }
  const server = new WireServer(async (message, connectionId) => {
    const documents = message.sequences.get('documents')
    if (field(message.command, 'insert') === 'events' && documents) {
      forgotten.events += documents.length
      return { n: documents.length, ok: 1 }
    }
    try {
      return runCommand(message, { ...context, connectionId })
    } catch (error) {
      return errorReply(error)
    }
  })
  const port = await server.listen(0)
  return { uri: `mongodb://127.0.0.1:${port}/forgets`, forgotten, close: () => server.close() }
}
