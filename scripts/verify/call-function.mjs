// Imports a built function as Vercel's runtime does and calls it, in a plain process of Node: what tsx or a package
// of the project would lend it here, it would lack there. Prints one line of JSON.
import { Session } from 'node:inspector'
import { pathToFileURL } from 'node:url'

const [handler, ...paths] = process.argv.slice(2)
const startedAt = performance.now()
const { default: route } = await import(pathToFileURL(handler).href)
const importMs = performance.now() - startedAt

// The debugger is told of every module that is there already.
const loaded = []
const session = new Session()
session.connect()
session.on('Debugger.scriptParsed', ({ params }) => loaded.push(params.url))
session.post('Debugger.enable')
session.disconnect()

const answers = []
for (const path of paths)
  for (const method of ['OPTIONS', 'GET']) {
    const response = await route.fetch(new Request(`https://verify.example${path}`, { method }))
    answers.push({ path, method, status: response.status, body: await response.text() })
  }
process.stdout.write(`\n${JSON.stringify({ importMs, loaded, answers })}\n`)
process.exit(0)
