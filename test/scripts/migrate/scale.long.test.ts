import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, it, onTestFinished } from 'vitest'
import { startEmbeddedDb } from '../../../scripts/embedded-db/index.js'
import { eventOfRow } from '../../../scripts/migrate/event-rows.js'
import { startForgettingDatabase } from '../support/forgetting-database.js'
import { legacyEvent, writeLegacyEvents } from '../support/legacy-events.js'
import { startScript } from '../support/run-script.js'

/** A file larger than memory allows, and a million events, take many minutes: the ordinary run has a small one. */
const SOAK = process.env.SOAK === '1'
const FILE_BYTES = SOAK ? 2 * 1024 ** 3 : 8 * 1024 ** 2
const COMPARED_ROWS = 1_000_000
const CHUNK = 1_000
const MAX_RSS_MB = 300

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'leadline-scale-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The most memory that a process has had until now, in MB; 0 where there is no /proc to ask. */
function peakRssMb(pid: number): number {
  if (process.platform !== 'linux') return 0
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

it('memory does not depend on the file', { timeout: SOAK ? 7_200_000 : 240_000 }, async () => {
  const from = await makeDirectory()
  const rows = await writeLegacyEvents(join(from, 'events.json'), { bytes: FILE_BYTES })
  const database = await startForgettingDatabase()
  onTestFinished(database.close)
  const script = startScript('migrate-file-to-mongo', ['--from', from, '--apply'], {
    env: { MONGO_URI: database.uri },
  })
  let peakMb = 0
  const watch = setInterval(() => {
    // The process may have ended meanwhile.
    if (script.child.exitCode === null) peakMb = Math.max(peakMb, peakRssMb(script.child.pid ?? 0))
  }, 200)
  const { code, told } = await script.ended
  clearInterval(watch)

  expect({ code, events: database.forgotten.events }, told).toEqual({ code: 0, events: rows })
  console.log(`${rows} events of ${Math.round(FILE_BYTES / 1024 ** 2)} MB: at most ${Math.round(peakMb)} MB`)
  expect(peakMb).toBeLessThan(MAX_RSS_MB)
})

it.runIf(SOAK)('takes at most twice as long as the bare driver', { timeout: 7_200_000 }, async () => {
  const from = await makeDirectory()
  await writeLegacyEvents(join(from, 'events.json'), { rows: COMPARED_ROWS })
  const database = await startEmbeddedDb({ directory: join(from, 'db') })
  onTestFinished(database.close)
  const bareMs = await insertBare(database.uri)
  const script = startScript('migrate-file-to-mongo', ['--from', from, '--apply'], {
    env: { MONGO_URI: `${database.uri}migrated` },
  })
  const { code, told } = await script.ended

  expect(code, told).toBe(0)
  const [, count = '', rate = ''] = /^events {2}([\d,]+) in .+ {2}([\d,]+)\/s$/m.exec(told) ?? []
  const bareRate = (COMPARED_ROWS * 1000) / bareMs
  const ratio = Number(rate.replaceAll(',', '')) / bareRate
  console.log(
    `migrated ${count} at ${rate}/s, the bare driver ${Math.round(bareRate)}/s: ${ratio.toFixed(2)}`,
  )
  expect(ratio).toBeGreaterThan(0.5)
})

/** Ordered, in chunks as large as the migration's, under the same indexes and the same concern. */
async function insertBare(uri: string): Promise<number> {
  const client = new MongoClient(uri, { writeConcern: { w: 'majority', journal: true } })
  try {
    const bare = client.db('bare').collection('events')
    await bare.createIndex({ day: 1, type: 1, projectId: 1, microsite: 1 })
    await bare.createIndex({ expiresAt: 1 })
    let ms = 0
    for (let i = 0; i < COMPARED_ROWS; i += CHUNK) {
      const documents = Array.from({ length: CHUNK }, (_, at) => eventOfRow(legacyEvent(i + at), undefined))
      const startedAt = performance.now()
      await bare.insertMany(documents)
      ms += performance.now() - startedAt
    }
    return ms
  } finally {
    await client.close()
  }
}
