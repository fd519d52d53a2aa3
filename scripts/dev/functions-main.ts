import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installBackgroundWork } from './background-work.js'
import { FUNCTION_FILE_HEADER, type FunctionsMessage } from './functions-protocol.js'
import { PLATFORM_ANSWERS, sendPlatformAnswer } from './platform-answers.js'
import { sendWebResponse, toWebRequest } from './web-adapter.js'

// The process that the functions run in. The server in front of it decides which function answers, and has
// checked and rewritten the request; this one imports functions when they are first asked for and runs them.

interface WebFunction {
  fetch(request: Request): Promise<Response>
}

const root = process.argv[2] ?? process.cwd()
const background = installBackgroundWork()
const functions = new Map<string, Promise<WebFunction>>()

// The server in front adds header fields to those that it has checked.
const server = createServer(
  { maxHeaderSize: 64 * 1024 },
  (message, response) => void answer(message, response),
)
// The server in front keeps its connections; one closed from this side could meet a request on its way.
server.keepAliveTimeout = 0
server.requestTimeout = 0
server.headersTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.send?.({ type: 'listening', port } satisfies FunctionsMessage)
})

async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = decodeURIComponent(String(message.headers[FUNCTION_FILE_HEADER]))
  let handler: WebFunction
  try {
    handler = await load(file)
  } catch (error) {
    console.error(`${file} cannot be loaded:`, error)
    const detail = `${file}: ${error instanceof Error ? error.message : error}`
    sendPlatformAnswer(response, PLATFORM_ANSWERS.invocationFailed, {}, detail)
    return
  }
  try {
    await sendWebResponse(await handler.fetch(toWebRequest(message, response)), response)
  } catch (error) {
    if (response.destroyed) return
    console.error(`${file} failed:`, error)
    if (response.headersSent) response.destroy()
    else sendPlatformAnswer(response, PLATFORM_ANSWERS.invocationFailed)
  }
}

function load(file: string): Promise<WebFunction> {
  const loaded = functions.get(file) ?? importFunction(file)
  functions.set(file, loaded)
  return loaded
}

async function importFunction(file: string): Promise<WebFunction> {
  const imported: { default?: Partial<WebFunction> } = await import(pathToFileURL(join(root, file)).href)
  const handler = imported.default
  if (typeof handler?.fetch !== 'function') throw new Error('has no default export with a fetch function')
  return handler as WebFunction
}

async function stop(): Promise<void> {
  await new Promise(resolve => server.close(resolve))
  await background.settled()
  process.exit(0)
}

process.on('message', () => void stop())
// The server in front is gone, even where it was killed: nothing reaches this process any more.
process.on('disconnect', () => process.exit(1))
// A Ctrl-C reaches the whole process group: the server in front says when to stop.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
