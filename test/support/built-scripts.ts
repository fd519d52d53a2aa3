import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

const repository = join(import.meta.dirname, '..', '..')

/** What tests start in processes and threads of their own, as JavaScript: it begins in half the time. */
export interface BuiltScripts {
  directory: string
  remove(): Promise<void>
}

/** Builds every script, and what serves the embedded database, into a temporary directory: once for a run. */
export async function buildScripts(): Promise<BuiltScripts> {
  const directory = await mkdtemp(join(tmpdir(), 'leadline-built-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'))
    await build({
      absWorkingDir: repository,
      entryPoints: ['scripts/*.ts', 'test/support/embedded-thread.ts'],
      outbase: '.',
      outdir: directory,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
    })
  } catch (error) {
    await remove()
    throw error
  }
  return { directory, remove }
}
