import type { Filter, ObjectId } from 'mongodb'

/** Which leads, chats and counters a caller may read. A missing field restricts nothing, so empty means all. */
export interface DataScope {
  ownerIds?: readonly ObjectId[]
  microsites?: readonly string[]
}

/** The scope as part of a query: what is not in it does not exist for who asks. */
export function scopeFilter<T extends { microsite: string; ownerId?: ObjectId | undefined }>({
  ownerIds,
  microsites,
}: DataScope): Filter<T> {
  return {
    ...(ownerIds && { ownerId: oneOf(ownerIds) }),
    ...(microsites && { microsite: oneOf(microsites) }),
  } as Filter<T>
}

/** One is asked for by equality: only then an index has the newest of it first. */
export function oneOf<T>(values: readonly T[]): T | { $in: readonly T[] } {
  const [only] = values
  return values.length === 1 && only !== undefined ? only : { $in: values }
}
