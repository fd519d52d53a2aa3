import { type Collection, type Db, MongoServerError } from 'mongodb'
import type { IndexDefinition } from '../../lib/db/collection.js'
import type { ComparedIndex } from '../../lib/db/index-drift.js'
import type { CollectionState } from '../../lib/domain/maintenance/index-states.js'
import { findDuplicates } from './duplicates.js'

/** What may be done beside making what is missing. */
export interface Permissions {
  /** Write at all. */
  apply: boolean
  rebuild: boolean
  dropUndeclared: boolean
}

/** What became of one index, or what is to be done with it. */
export interface Outcome {
  state: 'same' | 'written' | 'left' | 'failed'
  /** For the person who reads it. */
  what: string
}

/** MongoDB's code for a collection that is there already. */
const NAMESPACE_EXISTS = 48

const REASONS: Readonly<Record<string, string>> = {
  IndexOptionsConflict: 'an index that nothing declares has its key: --drop-undeclared drops that',
}

/** Makes a collection that is missing; two that do so at once are both right. */
export async function createCollection(db: Db, name: string): Promise<void> {
  await db.createCollection(name).catch(error => {
    if (!(error instanceof MongoServerError && error.code === NAMESPACE_EXISTS)) throw error
  })
}

/** What an index needs, in words; for a dry run and for what is left. */
function adviceOn({ state, difference, inTheWay }: ComparedIndex): string {
  switch (state) {
    case 'same':
      return ''
    case 'missing':
      return 'is made by --apply'
    case 'differs':
      return inTheWay && difference?.startsWith('is there as')
        ? `${difference}: --rebuild makes it anew under its name`
        : `differs in ${difference}: --rebuild drops it and makes it anew`
    case 'undeclared':
      return 'nothing declares it: --drop-undeclared drops it'
  }
}

/**
 * Brings one index to what is declared, as far as that is permitted; in a dry run says what would come of it. What data
 * forbids is left as it is.
 */
export async function bringAbout(
  db: Db,
  { collection }: CollectionState,
  index: ComparedIndex,
  { apply, rebuild, dropUndeclared }: Permissions,
): Promise<Outcome> {
  const documents = db.collection(collection.name)
  const left: Outcome = { state: 'left', what: adviceOn(index) }
  const planned: Outcome = { state: 'written', what: adviceOn(index) }
  if (index.state === 'same') return { state: 'same', what: '' }
  if (index.state === 'undeclared') {
    if (!dropUndeclared) return left
    if (!apply) return planned
    await documents.dropIndex(index.name)
    return { state: 'written', what: 'dropped: nothing declared it' }
  }
  const declared = collection.indexes.find(({ name }) => name === index.name)
  if (!declared || (index.state === 'differs' && !rebuild)) return left
  // Before what is there is dropped: it may be all that keeps further duplicates out.
  const forbidden = await forbiddenBy(documents, declared)
  if (forbidden) return { state: 'failed', what: forbidden }
  if (!apply) return planned
  try {
    if (index.inTheWay) await documents.dropIndex(index.inTheWay)
    await documents.createIndexes([{ ...declared }])
  } catch (error) {
    // The server's sentence quotes the data that broke the index.
    if (error instanceof MongoServerError && error.codeName)
      return { state: 'failed', what: REASONS[error.codeName] ?? error.codeName }
    throw error
  }
  return { state: 'written', what: index.inTheWay ? 'made anew' : 'made' }
}

async function forbiddenBy(documents: Collection, declared: IndexDefinition): Promise<string | undefined> {
  const duplicates = await findDuplicates(documents, declared)
  if (!duplicates) return undefined
  const { values, example } = duplicates
  const instance = example.length > 0 ? `, for instance ${example.join(' and ')}` : ''
  return `${values === 1 ? '1 value' : `${values} values`} in more than one document${instance}: mend them first`
}

/** The key of an index as people write it: `microsite, createdAt↓`. */
export function keyText({ key }: Pick<IndexDefinition, 'key'>): string {
  return Object.entries(key)
    .map(([path, direction]) => `${path}${direction === -1 ? '↓' : ''}`)
    .join(', ')
}
