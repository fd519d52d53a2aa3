import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { serveDirectory } from '../../scripts/embedded-db/serve-directory.js'
import { testDatabase } from '../support/database.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

function dataDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-target-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const maintainIn = (directory: string) => runScript('maintain', [], { env: { DATA_DIRECTORY: directory } })

it('a script finds the server that has the development database open', PATIENCE, async () => {
  const directory = dataDirectory()
  const server = await serveDirectory({ directory })
  onTestFinished(() => server.close())

  expect(await maintainIn(directory)).toMatchObject({
    code: 0,
    told: expect.stringContaining(new URL(server.uri).host),
  })
})

it(
  'a script follows no address that was left beside a database which nobody has open',
  PATIENCE,
  async () => {
    const directory = dataDirectory()
    writeFileSync(join(directory, 'db'), 'no directory')
    writeFileSync(join(directory, 'db.uri'), testDatabase().uri)

    expect(await maintainIn(directory)).toMatchObject({ code: 1, told: expect.stringContaining('EEXIST') })
  },
)
