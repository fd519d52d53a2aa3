import { createHash, randomInt } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { readBackup, writeManifest } from '../../../scripts/backup/manifest.js'
import { storedCollections } from '../../../scripts/backup/stored-collections.js'
import { writeBackup } from '../../../scripts/backup/write-backup.js'
import { runScript } from '../support/run-script.js'
import { contentOf } from './support/content.js'
import { embeddedPlace, emptyTestPlace, fillHard, makeDirectory, type Place } from './support/databases.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = 120_000
const FLIPS = process.env.SOAK ? 2_000 : 150

const { signal } = new AbortController()
const read = (directory: string) => readBackup(directory, signal, () => {})

// Progress is for a person.
beforeEach(() => void vi.spyOn(process.stderr, 'write').mockReturnValue(true))

async function backUp({ db }: Place): Promise<string> {
  const directory = makeDirectory()
  const { collections } = await storedCollections(db)
  const { contents } = await writeBackup({ collections, directory, signal })
  const at = new Date().toISOString()
  const origin = { database: 'leadline', server: '7.0.0', startedAt: at, finishedAt: at }
  await writeManifest(directory, { ...origin, contents })
  return directory
}

async function backUpSome(): Promise<string> {
  const place = await embeddedPlace()
  await fillHard(place.db)
  return backUp(place)
}

it(`finds each of ${FLIPS} bits that flipped anywhere in a backup`, { timeout: PATIENCE }, async () => {
  const directory = await backUpSome()
  await expect(read(directory)).resolves.toMatchObject({ database: 'leadline' })
  const files = await readdir(directory)
  const unnoticed: string[] = []
  for (let flip = 0; flip < FLIPS; flip++) {
    // Each file as often as any: most bits are in the largest.
    const path = join(directory, files[flip % files.length] as string)
    const bytes = await readFile(path)
    const bit = randomInt(bytes.length * 8)
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    await writeFile(path, flipped)
    const refused = await read(directory).then(
      () => false,
      () => true,
    )
    if (!refused) unnoticed.push(`${path} bit ${bit}`)
    await writeFile(path, bytes)
  }

  expect(unnoticed).toEqual([])
  await expect(read(directory)).resolves.toMatchObject({ database: 'leadline' })
})

it('names what is missing, cut off or edited', { timeout: PATIENCE }, async () => {
  const directory = await backUpSome()
  const [leads = ''] = (await readdir(directory)).filter(file => /^\d+-leads\.jsonl/.test(file))
  const path = join(directory, leads)
  const bytes = await readFile(path)

  await writeFile(path, bytes.subarray(0, -1))
  await expect(read(directory)).rejects.toThrow(`${path} is damaged: it has ${bytes.length - 1} bytes`)
  await rm(path)
  await expect(read(directory)).rejects.toThrow(`${path} cannot be read: ENOENT`)
  await writeFile(path, bytes)

  const manifest = join(directory, 'manifest.json')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace('"count": 300', '"count": 299'))
  await expect(read(directory)).rejects.toThrow('manifest.json is not what the backup was finished with')
  await rm(manifest)
  await expect(read(directory)).rejects.toThrow('is no finished backup: its manifest.json cannot be read')
})

it('reads no file outside a backup, and counts what it reads, whatever a manifest says', async () => {
  const directory = await backUpSome()
  const path = join(directory, 'manifest.json')
  const text = await readFile(path, 'utf8')
  const rewrite = async (edited: string) => {
    expect(edited).not.toBe(text)
    const checksum = createHash('sha256').update(edited).digest('hex')
    await writeFile(path, edited)
    await writeFile(join(directory, 'manifest.sha256'), `${checksum}  manifest.json\n`)
  }

  await rewrite(text.replace(/"file": "[^"]+"/, '"file": "../../etc/passwd"'))
  await expect(read(directory)).rejects.toThrow('is not a manifest of version 1: contents.collections.0')
  await rewrite(text.replace('"version": 1', '"version": 2'))
  await expect(read(directory)).rejects.toThrow('is not a manifest of version 1: version')
  await rewrite(text.replace('"count": 300', '"count": 299'))
  await expect(read(directory)).rejects.toThrow('has 300 documents, but the manifest says 299')
})

it('is found before anything is written', { timeout: PATIENCE }, async () => {
  const directory = await backUpSome()
  const { db, uri } = await emptyTestPlace()
  await db.collection('events').insertOne({ type: 'chat_shown' })
  const before = await contentOf(db)
  const files = (await readdir(directory)).filter(file => file.endsWith('types.jsonl.gz'))
  const path = join(directory, files[0] as string)
  const bytes = await readFile(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
  await writeFile(path, bytes)

  const args = ['--from', directory, '--drop', '--apply', '--yes', db.databaseName]
  const { code, output, told } = await runScript('restore', args, { env: { MONGO_URI: uri } })

  expect({ code, output }).toEqual({ code: 1, output: '' })
  expect(told).toContain(`npm run restore --: ${path} is damaged: its checksum differs`)
  expect(told).not.toContain('Writing to')
  expect(await contentOf(db)).toEqual(before)
})
