import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A project of its own in a temporary directory. */
export interface Project {
  root: string
  write(files: Record<string, string | Uint8Array>): void
  remove(): void
}

/** Makes a project of the given files by their paths, beside a package.json of ES modules. */
export function makeProject(files: Record<string, string | Uint8Array>): Project {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'leadline-project-')))
  const write = (written: Record<string, string | Uint8Array>) => {
    for (const [path, content] of Object.entries(written)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), content)
    }
  }
  write({ 'package.json': '{ "private": true, "type": "module" }', ...files })
  return { root, write, remove: () => rmSync(root, { recursive: true, force: true }) }
}

/**
 * Makes a copy of what is deployed of this repository: what a developer keeps beside it, `.env` above all, is none of
 * a test's business, and neither is what they edit meanwhile.
 */
export function copyRepository(): Project {
  const repository = join(import.meta.dirname, '..', '..', '..')
  const project = makeProject({})
  for (const name of ['api', 'lib', 'public', 'package.json', 'tsconfig.json', 'vercel.json'])
    cpSync(join(repository, name), join(project.root, name), { recursive: true })
  symlinkSync(join(repository, 'node_modules'), join(project.root, 'node_modules'))
  return project
}

/** As `makeProject`; the running test removes it. */
export function makeTestProject(files: Record<string, string | Uint8Array>): Project {
  const project = makeProject(files)
  onTestFinished(project.remove)
  return project
}

/** The source of a function with this body of `fetch(request: Request)`. */
export function functionSource(body: string, before = ''): string {
  return `${before}\nexport default { async fetch(request: Request): Promise<Response> { ${body} } }\n`
}
