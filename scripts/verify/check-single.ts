import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Builder } from '@vercel/build-utils'
import { UsageError } from '../dev/usage-error.js'
import type { BuiltFunction } from './build-function.js'

/**
 * What `vercel.single.json` would build of a project: one function, or none where there is no such file.
 *
 * @throws {UsageError} where it is not JSON.
 */
export async function readSingleBuilder(root: string): Promise<Builder | undefined> {
  try {
    const { builds } = JSON.parse(await readFile(join(root, 'vercel.single.json'), 'utf8'))
    return (builds as Builder[] | undefined)?.find(({ use }) => use === '@vercel/node')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError(`vercel.single.json: ${error instanceof Error ? error.message : error}`)
  }
}

/** Which of the files under `api/` the single function lacks. */
export function checkRoutesOf({ files }: Pick<BuiltFunction, 'files'>, routes: readonly string[]): string[] {
  return routes
    .filter(file => !files.includes(file.replace(/\.ts$/, '.js')))
    .map(file => `${file} is not in the single function: add it to lib/single/routes.ts`)
}
