import type { CommandStartedEvent, Document } from 'mongodb'
import type { FilledRequest } from '../request-template.js'

/** A command as it went to the database. The numbers say in which order things happened, and nothing else. */
export interface RecordedCommand {
  name: string
  collection: string
  command: Document
  /** What the database answered: later commands may be about it. */
  result: unknown
  started: number
  ended: number
}

/** What one request made its server send, and when its answer was there. */
export interface Recording {
  request: RequestValues
  commands: RecordedCommand[]
  replied: number
}

/** What a server can read of a request, and when it came. */
export interface RequestValues {
  at: Date
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: unknown
}

/** A request as its server reads it: a body is JSON. */
export function valuesOf({
  headers,
  body,
}: Pick<RequestValues, 'headers'> & { body?: string | undefined }): RequestValues {
  return { at: new Date(), headers, body: body === undefined ? undefined : JSON.parse(body) }
}

/** Without a connection in use for so long, a server has done what it does after its answer, in milliseconds. */
const QUIET_MS = 250

/** What the driver adds to each command for the session it runs in. */
const OF_THE_SESSION = ['lsid', 'txnNumber', '$clusterTime', '$db', '$readPreference']

/** A client of the product's driver, or of another version of it. */
export interface Monitored {
  on(event: string, listener: (event: never) => void): unknown
}

/** Records requests one at a time, on a client that was made with `monitorCommands` and is sending nothing. */
export function recorder(
  client: Monitored,
): (run: () => Promise<void>, request: FilledRequest) => Promise<Recording> {
  let commands: RecordedCommand[] = []
  const running = new Map<number, RecordedCommand>()
  let clock = 0
  // Connections wanted or in use: a command that still waits for one shows nowhere else.
  let connections = 0
  let lastActivity = performance.now()

  client.on('commandStarted', (event: CommandStartedEvent) => {
    clock += 1
    const command: Document = { ...event.command }
    for (const field of OF_THE_SESSION) delete command[field]
    const recorded = {
      name: event.commandName,
      collection: String(command[event.commandName]),
      command,
      result: null,
      started: clock,
      ended: Number.POSITIVE_INFINITY,
    }
    commands.push(recorded)
    running.set(event.requestId, recorded)
  })
  const end = ({ requestId, reply }: { requestId: number; reply?: unknown }) => {
    clock += 1
    const recorded = running.get(requestId)
    if (recorded) Object.assign(recorded, { ended: clock, result: resultOf(reply as Document | undefined) })
    running.delete(requestId)
  }
  client.on('commandSucceeded', end)
  client.on('commandFailed', end)
  const count = (change: 1 | -1) => () => {
    connections += change
    lastActivity = performance.now()
  }
  client.on('connectionCheckOutStarted', count(1))
  client.on('connectionCheckOutFailed', count(-1))
  client.on('connectionCheckedIn', count(-1))

  async function quiet(): Promise<void> {
    lastActivity = performance.now()
    while (connections > 0 || performance.now() - lastActivity < QUIET_MS)
      await new Promise(resolve => setTimeout(resolve, QUIET_MS / 5))
  }

  return async (run, request) => {
    await quiet()
    commands = []
    const values = valuesOf(request)
    await run()
    clock += 1
    const replied = clock
    await quiet()
    const recorded = commands
    // What is sent from here on is of no recording until the next begins.
    commands = []
    return { request: values, commands: recorded, replied }
  }
}

/** The documents that were found, the one that was changed, or how many were written. */
function resultOf(reply: Document | undefined): unknown {
  return reply?.cursor?.firstBatch ?? reply?.value ?? reply?.n ?? null
}
