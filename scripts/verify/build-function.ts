import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Builder, type BuildV3, download, FileFsRef, type NodejsLambda } from '@vercel/build-utils'
import * as vercelNode from '@vercel/node'

// The package declares only the types of its users' handlers.
const { build } = vercelNode as unknown as { build: BuildV3 }

/** A function as it would be deployed. */
export interface BuiltFunction {
  /** Holds the function and all that it needs, and nothing else. */
  directory: string
  /** The module that Vercel imports, relative to the directory. */
  handler: string
  files: string[]
  /** Of all files, unpacked. */
  bytes: number
}

/** A function of a project, and where it is to be built. */
export interface BuildTask {
  root: string
  builder: Builder
  directory: string
}

/** What became of a build. */
export type BuildOutcome = { built: BuiltFunction } | { problem: string }

/**
 * Builds a function into a directory with Vercel's own builder, which checks its types too. Takes the installed
 * packages as they are: nothing is fetched.
 *
 * @throws what the builder throws: type errors, mostly.
 */
export async function buildFunction(
  root: string,
  { src = '', config = {} }: Builder,
  directory: string,
): Promise<BuiltFunction> {
  const { output } = await build({
    files: { [src]: await FileFsRef.fromFsPath({ fsPath: join(root, src) }) },
    entrypoint: src,
    workPath: root,
    repoRootPath: root,
    config,
    meta: { skipDownload: true, runNpmInstallSet: new Set([join(root, 'package.json')]) },
  })
  if (output.type !== 'Lambda') throw new Error(`${src} is not built for the Node.js runtime`)
  const { files = {}, handler } = output as NodejsLambda
  await mkdir(directory, { recursive: true })
  await download(files, directory)
  return { directory, handler, files: Object.keys(files).sort(), bytes: await sizeOf(directory) }
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter(entry => entry.isFile())
    .map(async entry => (await stat(join(entry.parentPath, entry.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
