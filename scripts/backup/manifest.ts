import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { countLines, digestOf, type FileDigest } from './line-files.js'

const MANIFEST = 'manifest.json'
const CHECKSUM = 'manifest.sha256'
const FORMAT = 'leadline-backup'
const VERSION = 1

const Digest = { bytes: z.int().min(0), sha256: z.hex().length(64) }

/** A gzip file with a document a line, each in canonical Extended JSON. */
const LineFile = z.strictObject({
  // No path: whoever wrote the manifest does not choose which of this machine's files are read.
  file: z.string().regex(/^\d{4,6}-[a-z0-9-]{0,40}(\.indexes)?\.jsonl\.gz$/),
  count: z.int().min(0),
  ...Digest,
})
export type LineFile = z.infer<typeof LineFile>

const BackedUpCollection = z.strictObject({
  name: z.string().min(1),
  /** As `create` takes them, in canonical Extended JSON. */
  options: z.record(z.string(), z.unknown()),
  documents: LineFile,
  indexes: LineFile,
})
export type BackedUpCollection = z.infer<typeof BackedUpCollection>

/** The files of a backup, by what wrote them. */
const Contents = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('extended-json'), collections: z.array(BackedUpCollection) }),
  z.strictObject({
    method: z.literal('mongodump'),
    collections: z.array(z.string().min(1)),
    archive: z.strictObject({ file: z.literal('archive.gz'), ...Digest }),
  }),
])
export type Contents = z.infer<typeof Contents>

/** What a backup consists of. Without it, or with one that is not whole, a directory is no backup. */
const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  database: z.string().min(1),
  /** The server's version, for people. */
  server: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  contents: Contents,
})
export type Manifest = z.infer<typeof Manifest>

/** Writes the manifest and, in the form of `sha256sum`, its checksum: the last of a backup's files. */
export async function writeManifest(
  directory: string,
  content: Omit<Manifest, 'format' | 'version'>,
): Promise<void> {
  const manifest = Manifest.parse({ format: FORMAT, version: VERSION, ...content })
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  await writeSynced(join(directory, MANIFEST), text)
  await writeSynced(join(directory, CHECKSUM), checksumLine(text))
}

/**
 * Reads the manifest of a backup and checks every file that it names, by its checksum and the number of its lines.
 *
 * @throws {Error} that names the file that is missing, damaged or not what the backup was finished with.
 */
export async function readBackup(
  directory: string,
  signal: AbortSignal,
  checked: (bytes: number, fraction: number) => void,
): Promise<Manifest> {
  const manifest = await readManifest(directory)
  const { contents } = manifest
  const files: (FileDigest & { file: string; count?: number })[] =
    contents.method === 'mongodump'
      ? [contents.archive]
      : contents.collections.flatMap(({ documents, indexes }) => [documents, indexes])
  const whole = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for (const file of files) {
    signal.throwIfAborted()
    await checkFile(directory, file)
    done += file.bytes
    checked(done, whole === 0 ? 1 : done / whole)
  }
  return manifest
}

async function readManifest(directory: string): Promise<Manifest> {
  const [bytes, checksum] = await Promise.all([
    readWhole(directory, MANIFEST),
    readWhole(directory, CHECKSUM),
  ])
  if (checksum.toString('latin1') !== checksumLine(bytes))
    throw new Error(
      `${join(directory, MANIFEST)} is not what the backup was finished with: its checksum differs`,
    )
  const parsed = Manifest.safeParse(JSON.parse(bytes.toString('utf8')))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new Error(
    `${join(directory, MANIFEST)} is not a manifest of version ${VERSION}: ${problems.join('; ')}`,
  )
}

async function checkFile(
  directory: string,
  { file, bytes, sha256, count }: FileDigest & { file: string; count?: number },
): Promise<void> {
  const path = join(directory, file)
  const found = await digestOf(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read: ${error.code ?? error.message}`)
  })
  if (found.bytes !== bytes) throw new Error(`${path} is damaged: it has ${found.bytes} bytes, not ${bytes}`)
  if (found.sha256 !== sha256) throw new Error(`${path} is damaged: its checksum differs`)
  if (count === undefined) return
  const lines = await countLines(path)
  if (lines !== count) throw new Error(`${path} has ${lines} documents, but the manifest says ${count}`)
}

async function readWhole(directory: string, file: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, file))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`${directory} is no finished backup: its ${file} cannot be read (${code})`)
  }
}

function checksumLine(manifest: string | Buffer): string {
  return `${createHash('sha256').update(manifest).digest('hex')}  ${MANIFEST}\n`
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
