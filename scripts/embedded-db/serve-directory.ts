import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EmbeddedDb, startEmbeddedDb } from './index.js'

/**
 * Serves the database of a data directory: its files are in `<directory>/db`, and while it runs `<directory>/db.uri`
 * holds the URI, so that scripts started beside it reach the same database. `close` takes that file away again.
 */
export async function serveDirectory({
  directory,
  port = 0,
}: {
  directory: string
  port?: number
}): Promise<EmbeddedDb> {
  await mkdir(directory, { recursive: true })
  const database = await startEmbeddedDb({ directory: join(directory, 'db'), port })
  const path = join(directory, 'db.uri')
  const { uri } = database
  try {
    // Renamed into place: nobody reads half a URI.
    await writeFile(`${path}.tmp`, uri)
    await rename(`${path}.tmp`, path)
  } catch (error) {
    await database.close()
    throw error
  }
  return {
    ...database,
    close: async () => {
      const noted = await readFile(path, 'utf8').catch(() => undefined)
      if (noted === uri) await rm(path, { force: true })
      await database.close()
    },
  }
}
