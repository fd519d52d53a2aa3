// Imports a built function as Vercel's runtime does and calls it, in a plain process of Node: what tsx or a package
// of the project would lend it here, it would lack there. Prints one line of JSON.
import { pathToFileURL } from 'node:url'

const [handler, path] = process.argv.slice(2)
const startedAt = performance.now()
const { default: route } = await import(pathToFileURL(handler).href)
const importMs = performance.now() - startedAt

const answers = {}
for (const method of ['OPTIONS', 'GET']) {
  const response = await route.fetch(new Request(`https://verify.example${path}`, { method }))
  answers[method] = { status: response.status, body: await response.text() }
}
process.stdout.write(`\n${JSON.stringify({ importMs, answers })}\n`)
process.exit(0)
