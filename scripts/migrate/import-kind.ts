import type { Document, ObjectId } from 'mongodb'
import type { AnyCollection } from '../../lib/domain/registry.js'
import type { LegacyRow } from './legacy-values.js'

/** What the documents of a project need to know of it. */
export interface ProjectFacts {
  projectId: string
  ownerId?: ObjectId
  phoneCountry?: string
}

export type ImportedDocument = Document & { _id: ObjectId }

/** A row and the document that it becomes. */
export interface Item {
  row: LegacyRow
  /** Of the row in its file, in bytes. */
  position: number
  document: ImportedDocument
}

/** One file of the old store, and what its rows become. */
export interface ImportKind {
  /** What the rows are, for people. */
  name: string
  file: string
  /** What the list in the file is called. */
  list: string
  collection: AnyCollection
  /** Whose facts a row's document needs, if any's. */
  projectOf?(row: LegacyRow): string
  /** @throws {UnusableRow} */
  documentOf(row: LegacyRow, project: ProjectFacts, expiresAt: Date | undefined): ImportedDocument
  /** Until when, by `receivedAt`, what was imported has expired since: such rows are not imported again. */
  findExpiredUntil?(now: Date): Promise<Date | undefined>
  /** The field that says which document it is, where that is not `_id`. */
  identity?: string
  /** Fills in what is found in the database, just before the documents are stored there. */
  complete?(items: readonly Item[]): Promise<void>
  /** What a person has to know of a document that was stored, if anything. */
  remarkOn?(item: Item): string | undefined
  /**
   * The document in another form, where it cannot be stored as it is: `stored` is what has its identity, with the
   * fields that are `compared`; without one, another document has something that must be unique. Undefined where
   * `stored` is the row itself.
   */
  alternative?(item: Item, stored: ImportedDocument | undefined): ImportedDocument | undefined
  compared?: readonly string[]
}
