import { type Db, MongoServerError } from 'mongodb'
import type { IndexDefinition } from '../../lib/db/collection.js'
import type { ComparedIndex } from '../../lib/db/index-drift.js'
import type { CollectionState } from '../../lib/domain/index-states.js'
import { findDuplicates } from './duplicates.js'

/** What may be done beside making what is missing. */
export interface Permissions {
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
export function adviceOn({ state, difference, inTheWay }: ComparedIndex): string {
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

/** Brings one index to what is declared, as far as that is permitted. What data forbids is left as it is. */
export async function bringAbout(
  db: Db,
  { collection }: CollectionState,
  index: ComparedIndex,
  permitted: Permissions,
): Promise<Outcome> {
  const documents = db.collection(collection.name)
  if (index.state === 'same') return { state: 'same', what: '' }
  if (index.state === 'undeclared') {
    if (!permitted.dropUndeclared) return { state: 'left', what: adviceOn(index) }
    await documents.dropIndex(index.name)
    return { state: 'written', what: 'dropped: nothing declared it' }
  }
  const declared = collection.indexes.find(({ name }) => name === index.name)
  if (!declared || (index.state === 'differs' && !permitted.rebuild))
    return { state: 'left', what: adviceOn(index) }

  // Before what is there is dropped: it may be all that keeps further duplicates out.
  const duplicates = await findDuplicates(documents, declared)
  if (duplicates) {
    const example = duplicates.example.length > 0 ? `, for instance ${duplicates.example.join(' and ')}` : ''
    const values = duplicates.values === 1 ? '1 value' : `${duplicates.values} values`
    return { state: 'failed', what: `${values} in more than one document${example}: mend them first` }
  }
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

/** The key of an index as people write it: `microsite, createdAt↓`. */
export function keyText({ key }: Pick<IndexDefinition, 'key'>): string {
  return Object.entries(key)
    .map(([path, direction]) => `${path}${direction === -1 ? '↓' : ''}`)
    .join(', ')
}
