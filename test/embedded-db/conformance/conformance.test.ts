import { randomBytes } from 'node:crypto'
import { BSON, type Document } from 'mongodb'
import { afterAll, describe, expect, it } from 'vitest'
import type { ConformanceCase } from './conformance-case.js'
import { type Engine, embeddedEngine, givenEngine } from './engines.js'
import { subjects } from './subjects.js'

const embedded = await embeddedEngine()
const given = await givenEngine(embedded)
const engines = given === null ? [embedded] : [embedded, given]
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
  afterAll(() => engine.stop())

  describe.each(subjects)('$subject', ({ cases }) => {
    const asked = engine.kind === 'embedded' ? cases : cases.filter(({ embeddedOnly }) => !embeddedOnly)

    it.each(asked)('$name', async conformanceCase => {
      const actual = await answer(conformanceCase, engine)
      const expected = JSON.stringify({ value: conformanceCase.expected }, null, 1)
      if (engine.kind === 'documentdb' && conformanceCase.referenceFault) expect(actual).not.toBe(expected)
      else expect(actual).toBe(expected)
    })
  })
})
