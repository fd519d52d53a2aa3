import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRouteTable } from '../dev/route-table.js'
import { buildAll } from './build-all.js'
import type { BuiltFunction } from './build-function.js'
import { callFunction, type FunctionCall } from './call-function.js'
import { checkDeployment } from './check-deployment.js'
import { budgetOf, checkFunction } from './check-function.js'
import { checkRoutesOf, readSingleBuilder } from './check-single.js'

const COLD_STARTS = 3

/** A function that was built and called. */
export interface VerifiedFunction {
  file: string
  bytes: number
  budget: number
  files: number
  /** The median of a few cold starts. */
  importMs: number
  /** Of the answers to OPTIONS and GET, each once. */
  statuses: number[]
}

export interface Verification {
  functions: VerifiedFunction[]
  /** One sentence each; none where all is well. */
  problems: string[]
}

interface Subject {
  file: string
  /** Those of its routes. */
  paths: string[]
  built: BuiltFunction
  calls: FunctionCall[]
}

/**
 * Builds every function of a project as Vercel would, outside the project, and calls each; checks what else a
 * deployment would serve and call. The single function of `vercel.single.json` is the last of them.
 *
 * @throws {UsageError} where the project's configuration is refused as a whole.
 */
export async function verifyProject(root: string): Promise<Verification> {
  const table = await readRouteTable(root)
  const problems = await checkDeployment(root, table)
  const builders = table.builders.filter(({ use }) => use === '@vercel/node')
  const routes = builders.map(({ src = '' }) => src)
  const single = await readSingleBuilder(root)
  const output = await mkdtemp(join(tmpdir(), 'leadline-verify-'))
  try {
    const all = single ? [...builders, single] : builders
    const tasks = all.map(builder => ({ root, builder, directory: join(output, `${builder.src}.func`) }))
    const outcomes = await buildAll(tasks)
    const subjects = all.flatMap((builder, i): Subject[] => {
      const { src: file = '' } = builder
      const outcome = outcomes[i]
      if (!outcome || 'problem' in outcome) {
        problems.push(`${file}: ${outcome?.problem}`)
        return []
      }
      const { built } = outcome
      if (builder === single) problems.push(...checkRoutesOf(built, routes))
      return [{ file, paths: (builder === single ? routes : [file]).map(examplePath), built, calls: [] }]
    })
    await callAll(subjects, problems)
    return { functions: subjects.flatMap(describe), problems: [...problems, ...subjects.flatMap(check)] }
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}

// In rounds: a machine that is busy for a while is so for all of them, and their order stays what it is.
async function callAll(subjects: readonly Subject[], problems: string[]): Promise<void> {
  const broken = new Set<Subject>()
  for (let round = 0; round < COLD_STARTS; round++) {
    for (const subject of subjects) {
      if (broken.has(subject)) continue
      try {
        subject.calls.push(await callFunction(subject.built, subject.paths))
      } catch (error) {
        broken.add(subject)
        problems.push(`${subject.file}: ${error instanceof Error ? error.message : error}`)
      }
    }
  }
}

function check({ file, built, calls: [call] }: Subject): string[] {
  return call ? checkFunction(built, call).map(problem => `${file} ${problem}`) : []
}

function describe({ file, built, calls }: Subject): VerifiedFunction[] {
  const importMs = calls.map(call => call.importMs).sort((a, b) => a - b)[Math.floor(calls.length / 2)]
  if (importMs === undefined) return []
  const statuses = [...new Set(calls[0]?.answers.map(({ status }) => status))]
  const { bytes, files, handler } = built
  return [{ file, bytes, budget: budgetOf(handler), files: files.length, importMs, statuses }]
}

function examplePath(file: string): string {
  return `/${file
    .replace(/\.ts$/, '')
    .replace(/\/index$/, '')
    .replace(/\[[^\]]+\]/g, 'example')}`
}
