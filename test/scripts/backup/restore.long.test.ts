import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runScript } from '../support/run-script.js'
import { contentOf } from './support/content.js'
import { embeddedPlace, emptyTestPlace, fillHard, makeDirectory, type Place } from './support/databases.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 240_000 }

const backUp = ({ uri }: Place, out: string, ...flags: string[]) =>
  runScript('backup', ['--out', out, '--with', 'built-in', ...flags], { env: { MONGO_URI: uri } })

const restore = ({ uri }: Place, from: string, ...flags: string[]) =>
  runScript('restore', ['--from', from, ...flags], { env: { MONGO_URI: uri } })

it(
  'is the same database again, indexes included, from one kind of server to another and back',
  PATIENCE,
  async () => {
    const [source, back] = [await embeddedPlace(), await embeddedPlace()]
    const between = await emptyTestPlace()
    await fillHard(source.db)
    const wanted = await contentOf(source.db)
    const [first, second] = [join(makeDirectory(), 'a', 'first'), join(makeDirectory(), 'second')]

    const written = await backUp(source, first)
    expect(written).toMatchObject({ code: 0, output: expect.stringMatching(/^leads +300 +300 +0 +0$/m) })
    expect(written.told).toContain(`Backing up leadline on ${new URL(source.uri).host}.`)
    for (const file of ['.', ...(await readdir(first))])
      expect([file, (await stat(join(first, file))).mode & 0o077]).toEqual([file, 0])
    expect(await restore(between, first, '--apply')).toMatchObject({ code: 0, output: written.output })
    expect(await contentOf(between.db)).toEqual(wanted)
    expect((await backUp(between, second)).code).toBe(0)
    expect((await restore(back, second, '--apply')).code).toBe(0)
    expect(await contentOf(back.db)).toEqual(wanted)
  },
)

it('writes into an empty database only, or drops what the backup has', PATIENCE, async () => {
  const [source, target] = [await embeddedPlace(), await emptyTestPlace()]
  await fillHard(source.db)
  const wanted = await contentOf(source.db)
  const directory = join(makeDirectory(), 'backup')
  expect((await backUp(source, directory)).code).toBe(0)
  // Left over from a time when the schema was another.
  await target.db.collection('leads').createIndex({ phone: 1 }, { name: 'phone_microsite' })

  const dry = await restore(target, directory)
  expect(dry).toMatchObject({ code: 0, output: expect.stringMatching(/^leads +300 +300/m) })
  expect(dry.told).toContain('nothing is written. --apply writes.')
  expect(await target.db.collection('leads').countDocuments()).toBe(0)
  expect((await restore(target, directory, '--apply')).code).toBe(0)
  expect(await contentOf(target.db)).toEqual(wanted)

  await target.db.collection('leads').deleteOne({})
  await target.db.collection('newer').insertOne({})
  const changed = await contentOf(target.db)
  const [again, unconfirmed] = await Promise.all([
    restore(target, directory, '--apply'),
    restore(target, directory, '--apply', '--drop'),
  ])
  expect([again.code, unconfirmed.code]).toEqual([2, 2])
  expect(again.told).toMatch(/is not empty, there are documents in leads, newer, types, /)
  expect(unconfirmed.told).toContain(
    `this deletes what is there: confirm it with --yes ${target.db.databaseName}`,
  )
  expect(await contentOf(target.db)).toEqual(changed)

  const dropped = await restore(target, directory, '--apply', '--drop', '--yes', target.db.databaseName)
  expect(dropped.code).toBe(0)
  expect(dropped.told).toContain('To be left as they are: newer.')
  const { newer, ...rest } = await contentOf(target.db)
  expect(rest).toEqual(wanted)
  expect(newer).toEqual(changed.newer)
})

describe('--to', () => {
  it('copies straight into another database, whose address no argument shows', PATIENCE, async () => {
    const [source, target] = [await embeddedPlace(), await emptyTestPlace()]
    await fillHard(source.db)
    const env = { MONGO_URI: source.uri }

    const dry = await runScript('backup', ['--to', '-'], { env, input: `${target.uri}\n` })
    expect(dry).toMatchObject({ code: 0, output: expect.stringMatching(/^leads +300 +300/m) })
    expect(await contentOf(target.db)).toEqual({})
    const copied = await runScript('backup', ['--to', '-', '--apply'], { env, input: `${target.uri}\n` })
    expect(copied).toMatchObject({ code: 0, output: dry.output })
    expect(copied.told).toContain(`Writing to ${target.db.databaseName} on `)
    expect(await contentOf(target.db)).toEqual(await contentOf(source.db))
  })

  it('restores elsewhere than MONGO_URI says', PATIENCE, async () => {
    const [source, target] = [await embeddedPlace(), await emptyTestPlace()]
    await source.db.collection('leads').insertOne({ phone: '+919876543210' })
    const directory = join(makeDirectory(), 'backup')
    expect((await backUp(source, directory)).code).toBe(0)

    expect((await restore(source, directory, '--to', target.uri, '--apply')).code).toBe(0)
    expect(await contentOf(target.db)).toEqual(await contentOf(source.db))
  })

  it('never copies a database into itself, however it is spelt', PATIENCE, async () => {
    const source = await embeddedPlace()
    await fillHard(source.db)
    const before = await contentOf(source.db)
    const alias = source.uri.replace('127.0.0.1', 'localhost')
    const args = ['--to', `${alias}leadline`, '--apply', '--drop', '--yes', 'leadline']

    const { code, told } = await runScript('backup', args, { env: { MONGO_URI: source.uri } })

    expect(code).toBe(2)
    expect(told).toContain('--to is the database that is copied')
    expect(await contentOf(source.db)).toEqual(before)
  })
})

it('overwrites no backup, and leaves nothing where it fails', PATIENCE, async () => {
  const source = await embeddedPlace()
  await source.db.collection('leads').insertOne({ phone: '+919876543210' })
  const parent = makeDirectory()
  expect((await backUp(source, join(parent, 'backup'))).code).toBe(0)
  const files = await readdir(join(parent, 'backup'))

  const { code, told } = await backUp(source, join(parent, 'backup'))

  expect(code).toBe(2)
  expect(told).toContain('is not empty: name a directory that is not there yet')
  expect(await readdir(parent)).toEqual(['backup'])
  expect(await readdir(join(parent, 'backup'))).toEqual(files)
})
