import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuiltFunction } from '../scripts/verify/build-function.js'

const PROJECT = join(import.meta.dirname, '..')

/**
 * Builds a file of the project with Vercel's own builder, outside the project: the function has what it brings along.
 *
 * @param includeFiles patterns of files that the builder misses, as in `vercel.json`.
 * @throws what the builder throws: type errors, mostly.
 */
export async function buildOutside(
  file: string,
  includeFiles: readonly string[],
): Promise<{ built: BuiltFunction; remove(): Promise<void> }> {
  // The builder takes a second to load, which the other scenarios need not wait for.
  const { buildFunction } = await import('../scripts/verify/build-function.js')
  const directory = await mkdtemp(join(tmpdir(), 'leadline-bench-function-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    const builder = { src: file, use: '@vercel/node', config: { includeFiles: [...includeFiles] } }
    return { built: await buildFunction(PROJECT, builder, directory), remove }
  } catch (error) {
    await remove()
    throw error
  }
}
