import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { testDatabase } from '../support/database.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const FIXTURES = join(import.meta.dirname, 'fixtures')

beforeEach(async () => {
  const { db } = testDatabase()
  await db.dropDatabase()
})

it('what may not write makes neither collections nor indexes', PATIENCE, async () => {
  const { db } = testDatabase()
  const directory = mkdtempSync(join(tmpdir(), 'leadline-dry-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const numbers = join(directory, 'numbers.csv')
  writeFileSync(numbers, '+918047101230\n')
  const from = ['--from', join(FIXTURES, 'legacy')]
  const report = join(directory, 'report.json')

  const runs: [string, string[]][] = [
    ['migrate-file-to-mongo', from],
    ['migrate-file-to-mongo', [...from, '--verify', '--report', report]],
    ['phone-numbers', ['import', numbers]],
    ['api-key', ['list']],
    ['seed', []],
    ['maintain', []],
  ]
  for (const [script, args] of runs) {
    const { told } = await runScript(script, args)
    const made = await db.listCollections({}, { nameOnly: true }).toArray()
    expect({ script, made }, told).toEqual({ script, made: [] })
  }
})
