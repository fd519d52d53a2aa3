import type { Collection } from 'mongodb'
import { database } from '../../lib/db/client.js'
import { onlyDuplicates } from '../../lib/db/errors.js'
import type { ImportedDocument, ImportKind, Item } from './import-kind.js'

/** What became of some rows. */
export interface Outcome {
  /** In a dry run: what would be. */
  written: Item[]
  skipped: number
  failed: { item: Item; reason: string }[]
}

/** How documents are stored. */
export interface Storing {
  /** The migration they belong to, begun with the first document that is new; undefined in a dry run. */
  begin: (() => Promise<number>) | undefined
  /** Look for what is there already before anything is sent. */
  lookFirst: boolean
}

/**
 * Stores what is not there yet, in one unordered bulk. Ids come from the rows, so whatever is stored twice is stored
 * once, whoever was interrupted where.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function storeItems(
  kind: ImportKind,
  items: readonly Item[],
  storing: Storing,
): Promise<Outcome> {
  const outcome: Outcome = { written: [], skipped: 0, failed: [] }
  let waiting = items
  // What cannot be stored as it is is tried in another form, of which there are two at most.
  for (let form = 1; waiting.length > 0; form++) {
    const sorted = new Sorted(kind, waiting)
    if (storing.lookFirst || form > 1) sorted.meet(await findStored(kind, sorted.fresh))
    if (sorted.fresh.length > 0) {
      await kind.complete?.(sorted.fresh)
      if (storing.begin) await insert(kind, sorted, await storing.begin())
      outcome.written.push(...sorted.fresh)
    }
    outcome.skipped += sorted.skipped
    outcome.failed.push(...sorted.failed)
    waiting = sorted.another
  }
  return outcome
}

/** The rows of a chunk by what is to be done with them. */
class Sorted {
  fresh: Item[] = []
  /** Those that are tried again in another form. */
  readonly another: Item[] = []
  readonly failed: Outcome['failed'] = []
  skipped = 0

  constructor(
    private readonly kind: ImportKind,
    items: readonly Item[],
  ) {
    const seen = new Map<string, ImportedDocument>()
    for (const item of items) {
      const key = identityOf(kind, item.document)
      const earlier = seen.get(key)
      if (earlier) this.settle(item, earlier)
      else {
        seen.set(key, item.document)
        this.fresh.push(item)
      }
    }
  }

  /** Takes out what is stored already. */
  meet(stored: ReadonlyMap<string, ImportedDocument>): void {
    const fresh = this.fresh
    this.fresh = []
    for (const item of fresh) {
      const there = stored.get(identityOf(this.kind, item.document))
      if (there) this.settle(item, there)
      else this.fresh.push(item)
    }
  }

  /** Takes out what a unique index refused. */
  refuse(refused: readonly Item[], stored: ReadonlyMap<string, ImportedDocument>): void {
    const gone = new Set(refused)
    this.fresh = this.fresh.filter(item => !gone.has(item))
    for (const item of refused) this.settle(item, stored.get(identityOf(this.kind, item.document)))
  }

  private settle(item: Item, stored: ImportedDocument | undefined): void {
    const document = this.kind.alternative?.(item, stored)
    if (document) this.another.push({ ...item, document })
    else if (stored) this.skipped += 1
    else this.failed.push({ item, reason: 'another document has what must be unique of it' })
  }
}

async function insert(kind: ImportKind, sorted: Sorted, migration: number): Promise<void> {
  const { fresh } = sorted
  const documents = fresh.map(({ document }) => ({ ...document, migration }))
  // What must be unique is refused by them.
  await kind.collection.ensureIndexes()
  try {
    await (await open(kind)).insertMany(documents, { ordered: false })
  } catch (error) {
    if (!onlyDuplicates(error)) throw error
    const refused = [error.writeErrors].flat().flatMap(({ index }) => fresh[index] ?? [])
    sorted.refuse(refused, await findStored(kind, refused))
  }
}

/** What is stored of these, by identity. */
async function findStored(kind: ImportKind, items: readonly Item[]): Promise<Map<string, ImportedDocument>> {
  const field = kind.identity ?? '_id'
  const found = (await open(kind)).find(
    { [field]: { $in: items.map(({ document }) => document[field]) } },
    { projection: Object.fromEntries([field, ...(kind.compared ?? [])].map(name => [name, 1])) },
  )
  return new Map((await found.toArray()).map(document => [identityOf(kind, document), document]))
}

function identityOf({ identity = '_id' }: ImportKind, document: ImportedDocument): string {
  return String(document[identity])
}

async function open({ collection }: ImportKind): Promise<Collection<ImportedDocument>> {
  return (await database()).collection<ImportedDocument>(collection.name)
}
