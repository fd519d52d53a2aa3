import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'

const PROJECT = join(import.meta.dirname, '..')
const BUILT = ['api', 'lib', 'bench', 'scripts/embedded-db']

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
}

/**
 * Compiles the sources into a new directory, as a deployment does. The loader that scripts run under keeps
 * the names of all functions, at a price for each one that a request creates: it would be measured too.
 */
export async function build(): Promise<{ root: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'leadline-bench-'))
  await writeFile(join(root, 'package.json'), '{ "type": "module" }')
  await symlink(join(PROJECT, 'node_modules'), join(root, 'node_modules'), 'junction')
  for (const directory of BUILT) await compileDirectory(directory, root)
  return { root, remove: () => rm(root, { recursive: true, force: true }) }
}

async function compileDirectory(directory: string, root: string): Promise<void> {
  const entries = await readdir(join(PROJECT, directory), { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const source = join(entry.parentPath, entry.name)
    const target = join(root, relative(PROJECT, source).replace(/\.ts$/, '.js'))
    const { outputText } = ts.transpileModule(await readFile(source, 'utf8'), {
      compilerOptions,
      fileName: source,
    })
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, outputText)
  }
}
