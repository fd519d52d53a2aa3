import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRouteTable } from '../dev/route-table.js'
import { type BuiltFunction, buildFunction } from './build-function.js'
import { callFunction, type FunctionCall } from './call-function.js'
import { checkDeployment } from './check-deployment.js'
import { checkFunction, sizeBudgetOf } from './check-function.js'

/** A function that was built and called. */
export interface VerifiedFunction {
  file: string
  bytes: number
  files: number
  importMs: number
  /** Of the answers to OPTIONS and GET. */
  statuses: number[]
}

export interface Verification {
  functions: VerifiedFunction[]
  /** One sentence each; none where all is well. */
  problems: string[]
}

/**
 * Builds every function of a project as Vercel would, outside the project, and calls each; checks what else a
 * deployment would serve and call.
 *
 * @throws {UsageError} where the project's configuration is refused as a whole.
 */
export async function verifyProject(root: string): Promise<Verification> {
  const table = await readRouteTable(root)
  const problems = await checkDeployment(root, table)
  const functions: VerifiedFunction[] = []
  const output = await mkdtemp(join(tmpdir(), 'leadline-verify-'))
  try {
    for (const builder of table.builders) {
      const { use, src: file } = builder
      if (use !== '@vercel/node' || file === undefined) continue
      try {
        const built = await buildFunction(root, builder, join(output, `${file}.func`))
        const call = await callRepeatedly(built, examplePath(file))
        const { OPTIONS, GET } = call.answers
        functions.push({
          file,
          bytes: built.bytes,
          files: built.files.length,
          importMs: call.importMs,
          statuses: [OPTIONS.status, GET.status],
        })
        problems.push(...checkFunction(built, call, sizeBudgetOf(file)).map(problem => `${file} ${problem}`))
      } catch (error) {
        problems.push(`${file}: ${error instanceof Error ? error.message : error}`)
      }
    }
  } finally {
    await rm(output, { recursive: true, force: true })
  }
  return { functions, problems }
}

// The best of three: a machine that is busy with something else makes an import longer, and nothing makes it shorter.
async function callRepeatedly(built: BuiltFunction, path: string): Promise<FunctionCall> {
  const call = await callFunction(built, path)
  for (let i = 0; i < 2; i++)
    call.importMs = Math.min(call.importMs, (await callFunction(built, path)).importMs)
  return call
}

function examplePath(file: string): string {
  return `/${file
    .replace(/\.ts$/, '')
    .replace(/\/index$/, '')
    .replace(/\[[^\]]+\]/g, 'example')}`
}
