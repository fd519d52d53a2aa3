import { join } from 'node:path'
import { BSON } from 'mongodb'
import { readLines } from './line-files.js'
import type { BackedUpCollection } from './manifest.js'
import { documentOfLine } from './stored-documents.js'
import type { CollectionSource } from './write-collections.js'

/** The collections of a backup whose files were checked, to be written. */
export function sourcesOf(directory: string, collections: readonly BackedUpCollection[]): CollectionSource[] {
  return collections.map(({ name, options, documents, indexes }) => ({
    name,
    options: BSON.EJSON.deserialize(options, { relaxed: false }),
    async *documents() {
      for await (const line of readLines(join(directory, documents.file)))
        yield { document: documentOfLine(line), bytes: line.length }
    },
    async indexes() {
      const found = []
      for await (const line of readLines(join(directory, indexes.file))) found.push(documentOfLine(line))
      return found
    },
  }))
}
