import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import single from '../../lib/single/function.js'
import { sendWebResponse, toWebRequest } from '../../scripts/dev/web-adapter.js'

/** The single function behind a socket of its own, in this process and its environment. */
export interface SingleFunctionServer {
  url: string
  stop(): Promise<void>
}

/** Starts one on a free port of 127.0.0.1. */
export async function startSingleFunction(): Promise<SingleFunctionServer> {
  const server = createServer((message, response) => {
    single
      .fetch(toWebRequest(message, response))
      .then(answer => sendWebResponse(answer, response))
      .catch(error => response.destroy(error))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
