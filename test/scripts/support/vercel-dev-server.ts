import type { StartDevServer } from '@vercel/build-utils'
import * as vercelNode from '@vercel/node'

// The package declares only the types of its users' handlers.
const { startDevServer } = vercelNode as unknown as { startDevServer: StartDevServer }

/** One function as `vercel dev` runs it, without the routing that stands in front of it there. */
export interface VercelDevServer {
  url: string
  stop(): Promise<void>
}

/** Starts @vercel/node's own development server for a function of a project, in this process's environment. */
export async function startVercelDevServer(root: string, entrypoint: string): Promise<VercelDevServer> {
  const options = { files: {}, entrypoint, workPath: root, repoRootPath: root, config: { zeroConfig: true } }
  const started = await startDevServer(options)
  if (!started?.shutdown) throw new Error(`@vercel/node did not start ${entrypoint}`)
  return { url: `http://127.0.0.1:${started.port}`, stop: started.shutdown }
}
