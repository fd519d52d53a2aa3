import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { documentOf, documentOfLine, lineOf } from '../../../scripts/backup/stored-documents.js'
import { AWKWARD, bytesOf, EVERY_TYPE } from './support/every-type.js'

const ROUNDS = process.env.SOAK ? 20_000 : 500
const NAMES = [
  'a',
  '',
  '7',
  '10',
  'a.b',
  '$date',
  '$oid',
  '$ref',
  '$id',
  '$binary',
  '__proto__',
  '_bsontype',
  'é',
]

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function expectKept(bytes: Uint8Array) {
  const line = lineOf(bytes)
  expect(line).not.toContain('\n')
  expect(hex(BSON.serialize(documentOfLine(line)))).toBe(hex(bytes))
  expect(hex(BSON.serialize(documentOf(bytes)))).toBe(hex(bytes))
  return line
}

describe('a stored document', () => {
  it.each(Object.entries(EVERY_TYPE))('is the same bytes again with %s', (name, v) => {
    expectKept(bytesOf(name, { v, list: [v, [v]], inner: { v } }))
  })

  it.each(AWKWARD)('is the same bytes again with the names of %j', document => {
    expectKept(bytesOf(1, document))
  })

  it('is the same bytes again where a DBRef, in an order that the driver does not keep, has awkward names beside it', () => {
    const inner = new Map([
      ['b', 1],
      ['7', 1],
    ])
    expectKept(bytesOf(1, { v: { $id: 1, $ref: 'leads' }, inner }))
  })

  it('is canonical Extended JSON wherever that can say it', () => {
    expect(expectKept(bytesOf(1, { n: 5, at: new Date(0) }))).toBe(
      '{"_id":{"$numberInt":"1"},"n":{"$numberInt":"5"},"at":{"$date":{"$numberLong":"0"}}}',
    )
    expect(expectKept(bytesOf(1, { v: { $date: 'tomorrow' } }))).toMatch(/^\{"\$binary":\{"base64":"[^"]+"/)
  })

  it(`is the same bytes again, ${ROUNDS} times made up of anything`, () => {
    const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
    const anything = (depth: number): unknown => {
      if (depth === 0 || Math.random() < 0.4) return pick(Object.values(EVERY_TYPE))
      const parts = Array.from({ length: Math.floor(Math.random() * 4) }, () => anything(depth - 1))
      return Math.random() < 0.3 ? parts : new Map(parts.map(part => [pick(NAMES), part]))
    }
    for (let round = 0; round < ROUNDS; round++)
      expectKept(
        bytesOf(
          round,
          new Map([
            ['v', anything(4)],
            [pick(NAMES), anything(3)],
          ]),
        ),
      )
  })

  it('is refused where the driver could not write it back', () => {
    const bytes = Buffer.from(BSON.serialize({ _id: 1, at: new Date(0) }))
    // The year 292 million, which MongoDB can hold and JavaScript cannot.
    bytes.writeBigInt64LE(2n ** 62n, bytes.length - 9)

    expect(() => lineOf(bytes)).toThrow('the driver cannot write back')
  })
})
