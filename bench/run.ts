import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from './build.js'
import { openDeployment } from './database.js'
import { type Scenario, startHarness } from './harness.js'
import { helpText, type Options, readOptions } from './options.js'
import { circumstances, type Result, reportText } from './report.js'

const scenarios = await loadScenarios()
try {
  const options = readOptions(process.argv.slice(2), [...scenarios.keys()])
  if (options) await run(options)
  else console.log(helpText(new Map([...scenarios].map(([name, { summary }]) => [name, summary]))))
} catch (error) {
  fail(error)
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/** Every file of `bench/scenarios` is a scenario, named like its file. */
async function loadScenarios(): Promise<Map<string, Scenario>> {
  const directory = join(import.meta.dirname, 'scenarios')
  const files = (await readdir(directory)).filter(file => file.endsWith('.ts')).sort()
  const found = new Map<string, Scenario>()
  for (const file of files) {
    const module = await import(pathToFileURL(join(directory, file)).href)
    found.set(basename(file, '.ts'), module.default)
  }
  return found
}

async function run(options: Options): Promise<void> {
  const { rounds, seconds: sliceSeconds, sizes, reads, allowRemote, keep } = options
  const profileDirectory = options.profile && resolve(options.profile)
  if (profileDirectory) await mkdir(profileDirectory, { recursive: true })

  const interruption = new AbortController()
  const interrupt = () => interruption.abort(new Error('interrupted'))
  // Once: who insists gets what the second signal does by default.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)

  const undo: (() => Promise<void>)[] = []
  try {
    const { root, remove } = await build()
    undo.push(remove)
    const uri = process.env.MONGO_URI || undefined
    const deployment = await openDeployment({ root, uri, allowRemote, keep })
    undo.push(deployment.close)
    const made = circumstances({ engine: deployment.engine, rounds, sliceSeconds })
    const results: Result[] = []
    const { bench, stop } = startHarness({
      root,
      deployment,
      rounds,
      sliceSeconds,
      sizes,
      reads,
      profileDirectory,
      signal: interruption.signal,
      say: text => console.log(`· ${text}`),
      report: result => results.push(result),
    })
    undo.push(stop)
    // What was measured is worth its time, whatever happens to a later scenario.
    undo.push(async () => {
      if (results.length > 0) console.log(`\n${reportText(made, results)}`)
    })
    for (const name of options.scenarios) await scenarios.get(name)?.run(bench)
    if (options.json) await writeFile(options.json, `${JSON.stringify({ ...made, results }, null, 2)}\n`)
  } finally {
    for (const step of undo.reverse()) await step().catch(fail)
  }
}
