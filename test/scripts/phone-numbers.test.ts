import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { makeTestProject } from './support/project.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

/** As a spreadsheet saves it: a byte order mark, CRLF, a header with digits, quotes, an empty line, a duplicate. */
const SPREADSHEET = join(import.meta.dirname, 'fixtures', 'numbers.csv')

const inventory = () =>
  testDatabase()
    .db.collection('phonenumbers')
    .find({}, { projection: { createdAt: 0 } })
    .sort({ _id: 1 })
    .toArray()

const importFile = (content: string | Uint8Array, ...flags: string[]) =>
  runScript('phone-numbers', ['import', 'numbers', ...flags], {
    cwd: makeTestProject({ numbers: content }).root,
  })

beforeEach(() => emptyDatabase())

it('imports the table of a spreadsheet, once', PATIENCE, async () => {
  const first = await runScript('phone-numbers', ['import', SPREADSHEET, '--apply'])
  const stored = await inventory()
  const second = await runScript('phone-numbers', ['import', SPREADSHEET, '--apply'])

  expect(first).toMatchObject({ code: 0, told: expect.stringContaining('3 phone numbers.\n') })
  expect(first.output).toMatch(/^phone numbers +3 +3 +0 +0$/m)
  expect(stored).toEqual([
    { _id: '+1234567890' },
    { _id: '+918047101230', provider: 'Exotel, India' },
    { _id: '+918047101231', provider: 'twilio' },
  ])
  expect(second.output).toMatch(/^phone numbers +3 +0 +3 +0$/m)
  expect(await inventory()).toEqual(stored)
})

it('imports lines of numbers, more than one batch of them', PATIENCE, async () => {
  const numbers = Array.from({ length: 1_203 }, (_, i) => `+9198765${String(i).padStart(5, '0')}`)

  const { code, output } = await importFile(numbers.join('\n'), '--apply')

  expect(code).toBe(0)
  expect(output).toMatch(/^phone numbers +1,203 +1,203 +0 +0$/m)
  expect((await inventory()).map(({ _id }) => _id)).toEqual(numbers)
})

it('takes a first line that is a number for no header, however it is written', PATIENCE, async () => {
  const { code } = await importFile('tel:+91-80-4710-1230\ntel:+91-80-4710-1231\n', '--apply')

  expect(code).toBe(0)
  expect(await inventory()).toEqual([{ _id: '+918047101230' }, { _id: '+918047101231' }])
})

it('writes nothing in a dry run', PATIENCE, async () => {
  const { code, output, told } = await importFile('+918047101230\n')

  expect({ code, output }).toEqual({ code: 0, output: '' })
  expect(told).toContain('1 phone number.')
  expect(told).toContain('nothing is written. --apply writes.')
  expect(await inventory()).toEqual([])
})

it('changes nothing where a line is wrong, and names the lines', PATIENCE, async () => {
  const [lines, columns, empty, binary] = await Promise.all([
    importFile('+918047101230\nhello\n9.19877E+11\n"+918047101231\n', '--apply'),
    importFile('+918047101230;twilio\n', '--apply'),
    importFile('phone,provider\n\n,\n', '--apply'),
    importFile(Buffer.from('+918047101230\n', 'utf16le').fill(0xff, 0, 1), '--apply'),
  ])

  for (const { code, output } of [lines, columns, empty, binary])
    expect({ code, output }).toEqual({ code: 2, output: '' })
  expect(lines.told.trimEnd().split('\n')).toEqual([
    'npm run phone-numbers --: numbers is not imported',
    'line 2: must be a phone number',
    'line 3: must be a phone number',
    'line 4: its quotes do not match',
  ])
  expect(columns.told).toContain('line 1: must be a phone number')
  expect(empty.told).toContain('numbers has no phone numbers')
  expect(binary.told).toContain('numbers is not text in UTF-8')
  expect(await inventory()).toEqual([])
})
