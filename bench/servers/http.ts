import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request whose body has arrived. */
export interface ReceivedRequest {
  message: IncomingMessage
  body: Buffer
}

export interface Answered {
  status: number
  headers: Record<string, string>
  body: string | Buffer
}

/** Connections that may wait to be accepted: a burst is to arrive at once, and not by retries of TCP. */
const BACKLOG = 2_048

let unanswered = 0
let holdingUntil = 0
let held: (() => void)[] = []

/** How many requests this process has not yet answered. */
export function inFlight(): number {
  return unanswered
}

/** Holds back requests until there are so many, and lets them go all at once. */
export function holdUntil(requests: number): void {
  holdingUntil = requests
}

function goWhenAllowed(go: () => void): void {
  held.push(go)
  if (held.length < holdingUntil) return
  const allowed = held
  holdingUntil = 0
  held = []
  for (const one of allowed) one()
}

/** Reads the body of each request, and sends what is answered. */
export function answering(answer: (request: ReceivedRequest) => Promise<Answered>): RequestListener {
  return (message, response) => {
    const chunks: Buffer[] = []
    message.on('data', chunk => chunks.push(chunk))
    message.on('end', async () => {
      try {
        const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
        const answered = await answer({ message, body })
        response.writeHead(answered.status, answered.headers).end(answered.body)
      } catch (error) {
        response.writeHead(500).end(String(error))
      }
    })
  }
}

/** Serves on a free port of the loopback interface, which it returns. */
export function listen(listener: RequestListener): Promise<number> {
  const server = createServer((message, response) => {
    unanswered += 1
    response.once('close', () => {
      unanswered -= 1
    })
    goWhenAllowed(() => listener(message, response))
  })
  return new Promise(resolve => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })
}
