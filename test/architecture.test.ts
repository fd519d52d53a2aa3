import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findViolations } from './support/architecture-rules.js'
import { readSourceTree } from './support/source-files.js'

const root = join(import.meta.dirname, '..')

function readJson(name: string) {
  return JSON.parse(readFileSync(join(root, name), 'utf8'))
}

it('keeps the rules of the architecture', () => {
  const files = readSourceTree(root)
  const vercelJson = existsSync(join(root, 'vercel.json')) ? readJson('vercel.json') : {}

  const violations = findViolations({ files, packageJson: readJson('package.json'), vercelJson })

  const lines = violations.map(({ file, rule }) => `${file}: ${rule}`)
  expect(lines, `\n${lines.join('\n')}\n`).toEqual([])
})
