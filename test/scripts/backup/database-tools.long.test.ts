import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runTool } from '../../../scripts/backup/database-tools.js'
import { testDatabase } from '../../support/database.js'
import { runScript } from '../support/run-script.js'
import { contentOf } from './support/content.js'
import { embeddedPlace, emptyTestPlace, makeDirectory } from './support/databases.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

interface Call {
  args: string[]
  config: string
  /** Of the file with the address. */
  configMode: number
}

/** Stands in for one of MongoDB's tools: writes an archive, if it is asked for one, and notes how it was called. */
function installStandIn(name: 'mongodump' | 'mongorestore', exitCode = 0) {
  const directory = join(makeDirectory(), 'bin')
  mkdirSync(directory)
  const notes = join(directory, `${name}.json`)
  const source = `#!${process.execPath}
const { readFileSync, statSync, writeFileSync } = require('node:fs')
const args = process.argv.slice(2)
const file = args[args.indexOf('--config') + 1]
const call = { args, config: readFileSync(file, 'utf8'), configMode: statSync(file).mode & 0o777 }
writeFileSync(${JSON.stringify(notes)}, JSON.stringify(call))
const archive = args.find(arg => arg.startsWith('--archive=')).slice(10)
if (${name === 'mongodump'}) writeFileSync(archive, 'an archive', { mode: 0o644 })
process.exit(${exitCode})
`
  const path = join(directory, name)
  writeFileSync(path, source)
  chmodSync(path, 0o755)
  return {
    path,
    PATH: `${directory}:${process.env.PATH ?? ''}`,
    call: (): Call => JSON.parse(readFileSync(notes, 'utf8')),
    wasCalled: () => existsSync(notes),
  }
}

it(
  'is mongodump where it is installed, and mongorestore into a database of another name',
  PATIENCE,
  async () => {
    const [source, target] = [await embeddedPlace(), await emptyTestPlace()]
    await source.db.collection('leads').insertOne({ phone: '+919876543210' })
    const [dump, restore] = [installStandIn('mongodump'), installStandIn('mongorestore')]
    const directory = join(makeDirectory(), 'backup')
    const args = ['--out', directory, '--with', 'mongodump']

    const dumped = await runScript('backup', args, { env: { PATH: dump.PATH, MONGO_URI: source.uri } })
    expect(dumped).toMatchObject({ code: 0, output: expect.stringMatching(/^archive\.gz +10$/m) })
    expect((await readdir(directory)).sort()).toEqual(['archive.gz', 'manifest.json', 'manifest.sha256'])
    const { args: dumpArgs, config, configMode } = dump.call()
    expect(dumpArgs.slice(2)).toEqual(['--gzip', expect.stringMatching(/^--archive=.*\/archive\.gz$/)])
    expect(config).toBe(`uri: "${source.uri}leadline"\n`)
    expect(configMode).toBe(0o600)

    const into = { env: { PATH: restore.PATH, MONGO_URI: target.uri } }
    const restored = await runScript('restore', ['--from', directory, '--apply'], into)
    expect(restored).toMatchObject({ code: 0, output: 'collection\nleads\n' })
    expect(restore.call().args.slice(2)).toEqual([
      '--gzip',
      `--archive=${join(directory, 'archive.gz')}`,
      '--stopOnError',
      '--nsInclude=leadline.*',
      '--nsFrom=leadline.*',
      `--nsTo=${target.db.databaseName}.*`,
    ])
    expect(await contentOf(target.db)).toEqual({})
  },
)

it('is built in for the development database, where nothing else was asked for', PATIENCE, async () => {
  const source = await emptyTestPlace()
  const dump = installStandIn('mongodump')
  const directory = join(makeDirectory(), 'backup')

  const env = { PATH: dump.PATH, MONGO_URI: source.uri }
  const { code } = await runScript('backup', ['--out', directory], { env })

  expect(code).toBe(0)
  expect(dump.wasCalled()).toBe(testDatabase().kind !== 'embedded')
})

it('keeps nothing of a mongodump that failed, and needs what was asked for', PATIENCE, async () => {
  const source = await embeddedPlace()
  const dump = installStandIn('mongodump', 3)
  const parent = makeDirectory()
  const args = ['--out', join(parent, 'backup'), '--with', 'mongodump']
  const run = (PATH: string) => runScript('backup', args, { env: { PATH, MONGO_URI: source.uri } })

  const [failed, missing] = await Promise.all([run(dump.PATH), run('/nonexistent')])

  expect(failed).toMatchObject({ code: 1, told: expect.stringContaining('mongodump failed (exit code 3)') })
  expect(missing).toMatchObject({ code: 2, told: expect.stringContaining('mongodump is not installed') })
  expect(await readdir(parent)).toEqual([])
})

it('says an archive needs mongorestore, before anything is written', PATIENCE, async () => {
  const [source, target] = [await embeddedPlace(), await embeddedPlace()]
  const { PATH } = installStandIn('mongodump')
  const directory = join(makeDirectory(), 'backup')
  const args = ['--out', directory, '--with', 'mongodump']
  expect((await runScript('backup', args, { env: { PATH, MONGO_URI: source.uri } })).code).toBe(0)

  const env = { PATH: '/nonexistent', MONGO_URI: target.uri }
  const { code, told } = await runScript('restore', ['--from', directory, '--apply'], { env })

  expect(code).toBe(1)
  expect(told).toContain('mongorestore of the MongoDB Database Tools is not installed')
  expect(await contentOf(target.db)).toEqual({})
})

it.each([
  [
    'mongodb://u:p%40ss@db.example.invalid',
    'mongodb://u:p%40ss@db.example.invalid/leadline?authSource=admin',
  ],
  ['mongodb://u:p@a,b/?replicaSet=rs', 'mongodb://u:p@a,b/leadline?replicaSet=rs&authSource=admin'],
  ['mongodb://u:p@a/?authsource=x', 'mongodb://u:p@a/leadline?authsource=x'],
  ['mongodb+srv://u:p@a/prod?w=1', 'mongodb+srv://u:p@a/prod?w=1'],
  ['mongodb://a', 'mongodb://a/leadline'],
])('shows the address %s to nobody, and names its database', async (uri, named) => {
  const standIn = installStandIn('mongodump')

  await runTool(standIn.path, ['--archive=/dev/null'], { uri, signal: new AbortController().signal })

  const { args, config } = standIn.call()
  expect(args.join(' ')).not.toMatch(/mongodb|u:p/)
  expect(config).toBe(`uri: ${JSON.stringify(named)}\n`)
  // It is gone with the process that needed it.
  await expect(readFile(args[1] as string)).rejects.toThrow('ENOENT')
})
