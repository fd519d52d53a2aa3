import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
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
