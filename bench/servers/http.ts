import { createServer, type IncomingMessage } from 'node:http'
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

/** Serves on a free port of the loopback interface, which it returns. */
export function listen(answer: (request: ReceivedRequest) => Promise<Answered>): Promise<number> {
  const server = createServer((message, response) => {
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
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
