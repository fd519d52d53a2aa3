import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findFault } from '../../../scripts/migrate/json-fault.js'
import { CorruptFile, readRows } from '../../../scripts/migrate/json-rows.js'

async function read(content: string | Uint8Array) {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-rows-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'events.json')
  const bytes = Buffer.from(content)
  writeFileSync(path, bytes)
  const values: unknown[] = []
  const at: string[] = []
  try {
    for await (const rows of readRows(path, 'events'))
      for (const { value, start, end } of rows) {
        values.push(value)
        at.push(bytes.subarray(start, end).toString())
      }
    return { values, at }
  } catch (error) {
    if (!(error instanceof CorruptFile)) throw error
    return { values, at, position: error.position, message: error.message }
  }
}

describe('the rows of a file', () => {
  it.each([
    ['{"events":[]}', []],
    ['[]', []],
    ['\ufeff[1, "a" ,null,true,{"b":[{}]},[[]],-1.5e3]\n', [1, 'a', null, true, { b: [{}] }, [[]], -1500]],
    ['{"version":[{"events":[1]}],"events":[{"a":"]}\\"\\\\"}],"more":"}"}', [{ a: ']}"\\' }]],
    ['{"events":[{"n":"नमस्ते 🙏"}]}', [{ n: 'नमस्ते 🙏' }]],
  ])('%j', async (content, values) => {
    expect(await read(content)).toMatchObject({ values })
  })

  it('are those of JSON.parse, wherever a block ends', async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => ({
      i,
      text: `${'"\\é🙏]}'.repeat(i % 13)}`,
      list: [i, null],
    }))
    const { values, at } = await read(JSON.stringify({ events: rows }, null, 1))

    expect(values).toEqual(rows)
    expect(at.map(text => JSON.parse(text))).toEqual(rows)
  })

  it.each([
    ['', 0, []],
    ['{"leads":[1]}', 12, []],
    ['{"events":{}}', 10, []],
    ['"events"', 0, []],
    ['{"events":[1,2', 14, [1]],
    ['{"events":[1,2,', 15, [1, 2]],
    ['{"events":[1,2]', 15, [1, 2]],
    ['{"events":[1 2]}', 13, [1]],
    ['{"events":[1,,2]}', 13, [1]],
    ['{"events":[1,]}', 13, [1]],
    ['{"events":[1]} x', 15, [1]],
    ['{"events":[{"a":1},{"a":tru}]}', 24, [{ a: 1 }]],
    ['{"events":[{"a":1},{"é":"x" "b":1}]}', 29, [{ a: 1 }]],
    // A quote that is missing swallows all that follows: the fault is where JSON stops, not where the file does.
    ['{"events":[{"a":1},{"a":"x,"b":2},{"a":3}]}', 28, [{ a: 1 }]],
    ['{"events":[{"a":1},{"a":"x\u0001"}]}', 26, [{ a: 1 }]],
    ['{"events":[{"a":1},{"a":"x', 26, [{ a: 1 }]],
  ] as const)('%j is damaged at byte %i', async (content, position, values) => {
    expect(await read(content)).toMatchObject({ position, values })
  })

  it('are not read on where a byte is no UTF-8', async () => {
    const bytes = Buffer.from('[{"a":"é"},{"a":"éé"}]')
    bytes[19] = 0xff

    expect(await read(bytes)).toMatchObject({ position: 19, values: [{ a: 'é' }] })
  })

  it('are not held in memory for ever where an end is missing', async () => {
    const { values, message } = await read(`[1,{"a":"${'x'.repeat(17 * 1024 * 1024)}"}]`)

    expect(values).toEqual([1])
    expect(message).toContain('begins at byte 3')
  })

  it('stop at every place where a file may be cut off', async () => {
    const whole = '{"events":[{"a":"b"},{"c":[1]}]}'
    for (let length = 0; length < whole.length; length++)
      expect(await read(whole.slice(0, length))).toMatchObject({ position: length })
  })
})

describe('the fault of a value', () => {
  it('is found where JSON.parse finds one, and only there', () => {
    const whole = JSON.stringify({ a: [1, -0.5e7, true, null, 'é"\\\u0007'], b: { c: {}, d: [] } })
    expect(findFault(Buffer.from(whole))).toBeUndefined()
    for (let at = 0; at < whole.length; at++)
      for (const other of ['', ',', '}', '"', 'x', '\\', '\n']) {
        const changed = whole.slice(0, at) + other + whole.slice(at + 1)
        expect(findFault(Buffer.from(changed)) === undefined, changed).toBe(parses(changed))
      }
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
