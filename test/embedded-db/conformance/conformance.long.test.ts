import { randomBytes } from 'node:crypto'
import { BSON, type Document } from 'mongodb'
import { afterAll, describe, expect, it } from 'vitest'
import type { ConformanceCase } from './conformance-case.js'
import { type Engine, embeddedEngine, realEngine } from './engines.js'
import { subjects } from './subjects.js'

// A case takes milliseconds; this is for a machine that does much else at the time.
const patienceMs = 60_000

const embedded = await embeddedEngine()
const real = await realEngine()
const engines = real === null ? [embedded] : [embedded, real]
console.log(`conformance: ${engines.map(engine => engine.kind).join(' and ')}`)

const run = randomBytes(4).toString('hex')
let databases = 0

async function answer({ run: act }: ConformanceCase, { client }: Engine): Promise<string> {
  databases += 1
  const db = client.db(`conformance-${run}-${databases}`)
  try {
    return plain(await act(db))
  } finally {
    await db.dropDatabase()
  }
}

/** One text for one answer: extended JSON, the keys in their order. */
function plain(value: unknown): string {
  return JSON.stringify(BSON.EJSON.serialize({ value } as Document), null, 1)
}

describe.each(engines)('$kind', engine => {
  const mended: string[] = []

  afterAll(async () => {
    if (mended.length > 0)
      console.log(`${engine.kind} answers right where a fault is noted: ${mended.join('; ')}`)
    await engine.stop()
  })

  const asked = subjects
    .map(({ subject, cases }) => ({
      subject,
      cases: engine.kind === 'embedded' ? cases : cases.filter(({ embeddedOnly }) => !embeddedOnly),
    }))
    .filter(({ cases }) => cases.length > 0)

  describe.each(asked)('$subject', ({ cases }) => {
    it.each(cases)(
      '$name',
      async conformanceCase => {
        const { name, expected, referenceFault } = conformanceCase
        const faulty = engine.kind === 'documentdb' && referenceFault !== undefined
        const right = JSON.stringify({ value: expected }, null, 1)
        if (!faulty) return expect(await answer(conformanceCase, engine)).toBe(right)
        const actual = await answer(conformanceCase, engine).catch(String)
        if (actual === right) mended.push(name)
      },
      patienceMs,
    )
  })
})
